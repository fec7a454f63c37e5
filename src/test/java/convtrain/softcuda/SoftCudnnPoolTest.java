package convtrain.softcuda;

import static convtrain.softcuda.CudnnFixture.BAD_PARAM;
import static convtrain.softcuda.CudnnFixture.NCHW;
import static convtrain.softcuda.CudnnFixture.NHWC;
import static convtrain.softcuda.CudnnFixture.NOT_SUPPORTED;
import static convtrain.softcuda.CudnnFixture.ONE;
import static convtrain.softcuda.CudnnFixture.ZERO;
import static convtrain.softcuda.CudnnFixture.scalar;
import static convtrain.softcuda.DriverFixture.ok;
import static jcuda.jcudnn.cudnnNanPropagation.CUDNN_NOT_PROPAGATE_NAN;
import static jcuda.jcudnn.cudnnNanPropagation.CUDNN_PROPAGATE_NAN;
import static jcuda.jcudnn.cudnnPoolingMode.CUDNN_POOLING_AVERAGE_COUNT_EXCLUDE_PADDING;
import static jcuda.jcudnn.cudnnPoolingMode.CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING;
import static jcuda.jcudnn.cudnnPoolingMode.CUDNN_POOLING_MAX;
import static jcuda.jcudnn.cudnnPoolingMode.CUDNN_POOLING_MAX_DETERMINISTIC;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import convtrain.graph.Padding;
import convtrain.graph.Pair;
import convtrain.graph.Shape;
import convtrain.graph.Window2d;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import jcuda.driver.CUdeviceptr;
import jcuda.jcudnn.JCudnn;
import jcuda.jcudnn.cudnnPoolingDescriptor;
import jcuda.jcudnn.cudnnTensorDescriptor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** The software cuDNN's poolings against plain loops, and what it refuses. */
class SoftCudnnPoolTest {
  private static final int N = 2;
  private static final int C = 3;
  private static final int H = 7;
  private static final int W = 6;
  private static final int[] MODES = {
    CUDNN_POOLING_MAX,
    CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING,
    CUDNN_POOLING_AVERAGE_COUNT_EXCLUDE_PADDING
  };

  private CudnnFixture dnn;

  @BeforeEach
  void open() {
    SoftCuda.assumeAvailable();
    dnn = new CudnnFixture();
  }

  @AfterEach
  void close() {
    if (dnn != null) {
      dnn.close();
      assertThat(SoftCuda.leaks()).isEmpty();
    }
  }

  private static Window2d window(int h, int w, Pair kernel, Pair stride, Pair padding) {
    return Window2d.over(
        Shape.image(C, h, w), kernel, stride, Pair.of(1), new Padding(false, padding), false);
  }

  static List<Arguments> poolings() {
    List<Window2d> windows =
        List.of(
            window(H, W, Pair.of(2), Pair.of(2), Pair.of(0)),
            window(H, W, Pair.of(3), Pair.of(1), Pair.of(1)),
            window(H, W, new Pair(3, 2), new Pair(2, 3), new Pair(1, 0)),
            window(H, W, new Pair(H, W), new Pair(H, W), Pair.of(0)));
    List<Arguments> all = new ArrayList<>();
    for (Window2d window : windows) {
      for (int mode : MODES) {
        all.add(Arguments.of(mode, NCHW, window));
        all.add(Arguments.of(mode, NHWC, window));
      }
    }
    return all;
  }

  /** Where an element of n images of C channels lies. */
  private static int at(int format, int h, int w, int n, int c, int i, int j) {
    return format == NCHW ? ((n * C + c) * h + i) * w + j : ((n * h + i) * w + j) * C + c;
  }

  private static float[] random(int count) {
    Random random = new Random(8);
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  /** y and dx of plain loops. */
  private static final class Expected {
    final double[] y;
    final double[] dx;

    Expected(int mode, int format, Window2d window, float[] x, float[] dy) {
      y = new double[dy.length];
      dx = new double[x.length];
      for (int n = 0; n < N; n++) {
        for (int c = 0; c < C; c++) {
          for (int i = 0; i < window.out().h(); i++) {
            for (int j = 0; j < window.out().w(); j++) {
              int to = at(format, window.out().h(), window.out().w(), n, c, i, j);
              pool(mode, window, x, dy[to], to, taps(format, window, n, c, i, j));
            }
          }
        }
      }
    }

    private static List<Integer> taps(int format, Window2d window, int n, int c, int i, int j) {
      List<Integer> taps = new ArrayList<>();
      for (int r = 0; r < window.kernel().h(); r++) {
        for (int s = 0; s < window.kernel().w(); s++) {
          int row = i * window.stride().h() - window.padTop() + r;
          int column = j * window.stride().w() - window.padLeft() + s;
          if (row >= 0 && row < H && column >= 0 && column < W) {
            taps.add(at(format, H, W, n, c, row, column));
          }
        }
      }
      return taps;
    }

    private void pool(int mode, Window2d window, float[] x, float dy, int to, List<Integer> taps) {
      if (mode == CUDNN_POOLING_MAX) {
        int largest = taps.get(0);
        for (int tap : taps) {
          largest = x[tap] > x[largest] ? tap : largest;
        }
        y[to] = x[largest];
        dx[largest] += dy;
        return;
      }
      int count = mode == CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING ? window.taps() : taps.size();
      for (int tap : taps) {
        y[to] += (double) x[tap] / count;
        dx[tap] += (double) dy / count;
      }
    }
  }

  @ParameterizedTest(name = "mode {0} format {1} {2}")
  @MethodSource("poolings")
  void poolingsAreThoseOfPlainLoops(int mode, int format, Window2d window) {
    float[] x = random(N * C * H * W);
    float[] dy = random(N * C * window.out().h() * window.out().w());
    cudnnTensorDescriptor xShape = dnn.tensor(format, N, C, H, W);
    cudnnTensorDescriptor yShape = dnn.tensor(format, N, C, window.out().h(), window.out().w());
    cudnnPoolingDescriptor pooling = dnn.pooling(window, mode, CUDNN_PROPAGATE_NAN);
    CUdeviceptr xs = dnn.device(x);
    CUdeviceptr y = dnn.empty(dy.length);
    CUdeviceptr dx = dnn.empty(x.length);
    ok(JCudnn.cudnnPoolingForward(dnn.handle, pooling, ONE, xShape, xs, ZERO, yShape, y));
    ok(
        JCudnn.cudnnPoolingBackward(
            dnn.handle,
            pooling,
            ONE,
            yShape,
            y,
            yShape,
            dnn.device(dy),
            xShape,
            xs,
            ZERO,
            xShape,
            dx));
    Expected expected = new Expected(mode, format, window, x, dy);
    assertClose("y", dnn.read(y, dy.length), expected.y);
    assertClose("dx", dnn.read(dx, x.length), expected.dx);
    assertThat(SoftCuda.violations()).isEmpty();
  }

  private static void assertClose(String what, float[] found, double[] expected) {
    for (int i = 0; i < expected.length; i++) {
      assertThat((double) found[i]).as("%s[%d]", what, i).isCloseTo(expected[i], within(1e-6));
    }
  }

  /** One window of 1 x 4 pixels. */
  private final class Line {
    final cudnnTensorDescriptor xShape = dnn.tensor(NHWC, 1, 1, 1, 4);
    final cudnnTensorDescriptor yShape = dnn.tensor(NHWC, 1, 1, 1, 1);
    final Window2d window = window(1, 4, new Pair(1, 4), Pair.of(1), Pair.of(0));
    final CUdeviceptr x;
    final CUdeviceptr y = dnn.device(8);
    final CUdeviceptr dx = dnn.device(1, 1, 1, 1);

    Line(float... x) {
      this.x = dnn.device(x);
    }

    float forward(int mode, int nan) {
      cudnnPoolingDescriptor pooling = dnn.pooling(window, mode, nan);
      ok(JCudnn.cudnnPoolingForward(dnn.handle, pooling, ONE, xShape, x, ZERO, yShape, y));
      return dnn.read(y, 1)[0];
    }

    int backward(float beta, CUdeviceptr into) {
      return JCudnn.cudnnPoolingBackward(
          dnn.handle,
          dnn.pooling(window, CUDNN_POOLING_MAX, CUDNN_PROPAGATE_NAN),
          scalar(2),
          yShape,
          y,
          yShape,
          dnn.device(5),
          xShape,
          x,
          scalar(beta),
          xShape,
          into);
    }
  }

  @Test
  void ofEqualMaximaOneGetsTheGradientAndNotTheFirst() {
    Line line = new Line(3, 7, 7, 1);
    assertThat(line.forward(CUDNN_POOLING_MAX, CUDNN_PROPAGATE_NAN)).isEqualTo(7);
    ok(line.backward(3, line.dx));
    assertThat(dnn.read(line.dx, 4)).containsExactly(3, 3, 13, 3);
  }

  @Test
  void aMaximumThatWasOverwrittenLosesItsGradient() {
    Line line = new Line(3, 7, 5, 1);
    ok(line.backward(0, line.dx));
    assertThat(dnn.read(line.dx, 4)).containsOnly(0);
  }

  @Test
  void aGradientOverItsInputIsReported() {
    Line line = new Line(3, 7, 5, 1);
    assertThat(line.backward(0, line.x)).isEqualTo(BAD_PARAM);
    assertThat(SoftCuda.violations())
        .singleElement()
        .asString()
        .contains("cudnnPoolingBackward dx shares memory with cudnnPoolingBackward x");
  }

  @Test
  void nanPropagatesWhereItIsAskedFor() {
    Line line = new Line(3, Float.NaN, 7, 1);
    assertThat(line.forward(CUDNN_POOLING_MAX, CUDNN_PROPAGATE_NAN)).isNaN();
    assertThat(line.forward(CUDNN_POOLING_MAX, CUDNN_NOT_PROPAGATE_NAN)).isEqualTo(7);
  }

  @Test
  void outputsRoundDown() {
    int[] h = new int[1];
    int[] w = new int[1];
    cudnnPoolingDescriptor pooling =
        dnn.pooling(
            window(H, W, new Pair(3, 2), new Pair(2, 3), new Pair(1, 0)),
            CUDNN_POOLING_MAX,
            CUDNN_PROPAGATE_NAN);
    ok(
        JCudnn.cudnnGetPooling2dForwardOutputDim(
            pooling, dnn.tensor(NHWC, N, C, H + 1, W + 1), new int[1], new int[1], h, w));
    assertThat(List.of(h[0], w[0])).containsExactly(4, 2);
  }

  @Test
  void whatDoesNotFitTogetherIsRefused() {
    Line line = new Line(1, 2, 3, 4);
    assertThat(forward(line, CUDNN_POOLING_MAX, dnn.tensor(NHWC, 1, 1, 1, 2))).isEqualTo(BAD_PARAM);
    assertThat(forward(line, CUDNN_POOLING_MAX, dnn.tensor(NHWC, 1, 2, 1, 1))).isEqualTo(BAD_PARAM);
    assertThat(forward(line, CUDNN_POOLING_MAX, dnn.tensor())).isEqualTo(BAD_PARAM);
    assertThat(forward(line, CUDNN_POOLING_MAX_DETERMINISTIC, line.yShape))
        .isEqualTo(NOT_SUPPORTED);
    cudnnPoolingDescriptor pooling =
        dnn.pooling(line.window, CUDNN_POOLING_MAX, CUDNN_PROPAGATE_NAN);
    assertThat(
            JCudnn.cudnnSetPooling2dDescriptor(
                pooling, CUDNN_POOLING_MAX, CUDNN_PROPAGATE_NAN, 0, 1, 0, 0, 1, 1))
        .isEqualTo(BAD_PARAM);
    assertThat(
            JCudnn.cudnnSetPooling2dDescriptor(
                pooling, CUDNN_POOLING_MAX, CUDNN_PROPAGATE_NAN, 1, 1, 0, 0, 1, -1))
        .isEqualTo(BAD_PARAM);
    assertThat(
            JCudnn.cudnnSetPooling2dDescriptor(pooling, 4, CUDNN_PROPAGATE_NAN, 1, 1, 0, 0, 1, 1))
        .isEqualTo(BAD_PARAM);
  }

  private int forward(Line line, int mode, cudnnTensorDescriptor yShape) {
    cudnnPoolingDescriptor pooling = dnn.pooling(line.window, mode, CUDNN_PROPAGATE_NAN);
    return JCudnn.cudnnPoolingForward(
        dnn.handle, pooling, ONE, line.xShape, line.x, ZERO, yShape, line.y);
  }
}
