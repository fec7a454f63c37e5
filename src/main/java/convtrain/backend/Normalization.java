package convtrain.backend;

import convtrain.graph.Shape;

/**
 * What turns bytes into the network's input: {@code x = (byte / 255 - mean[c]) / std[c]}.
 *
 * @param image shape of a sample
 * @param mean per channel
 * @param std per channel
 */
public record Normalization(Shape image, float[] mean, float[] std) {
  /**
   * x of every byte, 256 for each channel; in fp32, operation by operation, as PyTorch's ToTensor
   * and Normalize compute it.
   */
  public float[] table() {
    float[] table = new float[mean.length * 256];
    for (int i = 0; i < table.length; i++) {
      int c = i / 256;
      table[i] = ((i % 256) / 255f - mean[c]) / std[c];
    }
    return table;
  }
}
