package convtrain.testing;

import convtrain.backend.Samples;
import java.nio.ByteBuffer;

/** Samples in arrays; equal to no others, so that no feed takes them for some it has seen. */
public final class ArraySamples implements Samples {
  private final byte[] images;
  private final int[] labels;
  private final int imageBytes;

  public ArraySamples(byte[] images, int[] labels) {
    this.images = images;
    this.labels = labels;
    this.imageBytes = images.length / labels.length;
  }

  @Override
  public int count() {
    return labels.length;
  }

  @Override
  public void copyImage(int index, ByteBuffer into) {
    into.put(images, index * imageBytes, imageBytes);
  }

  @Override
  public int label(int index) {
    return labels[index];
  }
}
