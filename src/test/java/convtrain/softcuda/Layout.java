package convtrain.softcuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import convtrain.testing.Golden;
import java.util.List;
import java.util.stream.DoubleStream;

/** Tensors in memory order of a cuDNN format, and back. */
final class Layout {
  private Layout() {}

  /** Four dimensions: what a tensor lacks are ones at its end. */
  static int[] dims(Golden.Tensor tensor) {
    int[] dims = {1, 1, 1, 1};
    List<Integer> given = tensor.dims();
    for (int i = 0; i < given.size(); i++) {
      dims[i] = given.get(i);
    }
    return dims;
  }

  static float[] store(int format, Golden.Tensor tensor) {
    float[] rowMajor = tensor.floats();
    float[] stored = new float[rowMajor.length];
    int[] dims = dims(tensor);
    for (int i = 0; i < rowMajor.length; i++) {
      stored[position(format, dims, i)] = rowMajor[i];
    }
    return stored;
  }

  /** Where the ith element of PyTorch's order lies. */
  private static int position(int format, int[] dims, int i) {
    if (format == CudnnFixture.NCHW) {
      return i;
    }
    int area = dims[2] * dims[3];
    int n = i / (dims[1] * area);
    int c = i / area % dims[1];
    return (n * area + i % area) * dims[1] + c;
  }

  /** Each element within 1e-5 of the largest. */
  static void check(String what, int format, float[] stored, Golden.Tensor expected) {
    int[] dims = dims(expected);
    double[] values = expected.values();
    double largest = DoubleStream.of(values).map(Math::abs).max().orElse(0);
    for (int i = 0; i < values.length; i++) {
      assertThat((double) stored[position(format, dims, i)])
          .as("%s[%d]", what, i)
          .isCloseTo(values[i], within(1e-5 * Math.max(largest, 1e-3)));
    }
  }
}
