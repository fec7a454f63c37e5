package convtrain.backend.cuda.op;

import convtrain.backend.DeviceBuffer;
import convtrain.backend.ParameterLayout;
import convtrain.backend.PlainLayout;
import convtrain.graph.LayerSpec;
import convtrain.graph.Node;
import convtrain.graph.ParameterSpec;

/**
 * How parameters are stored: as they are, but for a convolution's weights, [K, R, S, C/groups]
 * where PyTorch has [K, C/groups, R, S]. A linear layer's inputs need no other order: flattening
 * already restores PyTorch's.
 */
final class CudaLayouts {
  private CudaLayouts() {}

  static ParameterLayout of(Node node, ParameterSpec parameter) {
    if (node.spec() instanceof LayerSpec.Conv2d && parameter.name().equals("weight")) {
      return new ChannelsLast(
          parameter.dims().get(0),
          parameter.dims().get(1),
          parameter.dims().get(2) * parameter.dims().get(3));
    }
    return new PlainLayout(parameter.elements());
  }

  /**
   * [K, taps, C] of a tensor [K, C, taps].
   *
   * @param c channels of one group
   * @param taps R S
   */
  private record ChannelsLast(int k, int c, int taps) implements ParameterLayout {
    private PlainLayout stored() {
      return new PlainLayout(Math.multiplyExact(Math.multiplyExact(k, c), taps));
    }

    @Override
    public long bytes() {
      return stored().bytes();
    }

    @Override
    public void write(float[] rowMajor, DeviceBuffer to) {
      stored().write(transposed(rowMajor, c, taps), to);
    }

    @Override
    public void read(DeviceBuffer from, float[] rowMajor) {
      float[] values = new float[stored().elements()];
      stored().read(from, values);
      System.arraycopy(transposed(values, taps, c), 0, rowMajor, 0, values.length);
    }

    /** [K, columns, rows] of [K, rows, columns]. */
    private float[] transposed(float[] from, int rows, int columns) {
      float[] to = new float[from.length];
      for (int block = 0; block < from.length; block += rows * columns) {
        for (int row = 0; row < rows; row++) {
          for (int column = 0; column < columns; column++) {
            to[block + column * rows + row] = from[block + row * columns + column];
          }
        }
      }
      return to;
    }
  }
}
