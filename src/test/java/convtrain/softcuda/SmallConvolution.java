package convtrain.softcuda;

import static convtrain.softcuda.CudnnFixture.NHWC;
import static convtrain.softcuda.CudnnFixture.ONE;
import static convtrain.softcuda.CudnnFixture.ZERO;
import static convtrain.softcuda.DriverFixture.ok;

import convtrain.graph.Padding;
import convtrain.graph.Pair;
import convtrain.graph.Shape;
import convtrain.graph.Window2d;
import java.util.Random;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import jcuda.jcudnn.JCudnn;
import jcuda.jcudnn.cudnnConvolutionDescriptor;
import jcuda.jcudnn.cudnnConvolutionFwdAlgo;
import jcuda.jcudnn.cudnnFilterDescriptor;
import jcuda.jcudnn.cudnnMathType;
import jcuda.jcudnn.cudnnTensorDescriptor;

/** A 3x3 convolution with padding 1, x [2, 5, 6, 4] to y [2, 5, 6, 3], of random values. */
final class SmallConvolution {
  static final int X = 2 * 5 * 6 * 4;
  static final int Y = 2 * 5 * 6 * 3;
  static final int W = 3 * 3 * 3 * 4;

  /** Has a workspace. */
  static final int PRECOMPUTED =
      cudnnConvolutionFwdAlgo.CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM;

  /** Needs no workspace. */
  static final int IMPLICIT = cudnnConvolutionFwdAlgo.CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM;

  final CudnnFixture dnn;
  final cudnnTensorDescriptor xShape;
  final cudnnTensorDescriptor yShape;
  final cudnnFilterDescriptor wShape;
  final CUdeviceptr x;
  final CUdeviceptr w;
  final CUdeviceptr y;
  private final Random random = new Random(1);

  SmallConvolution(CudnnFixture dnn) {
    this.dnn = dnn;
    xShape = dnn.tensor(NHWC, 2, 4, 5, 6);
    yShape = dnn.tensor(NHWC, 2, 3, 5, 6);
    wShape = dnn.filter(NHWC, 3, 4, 3, 3);
    x = dnn.device(values(X));
    w = dnn.device(values(W));
    y = dnn.empty(Y);
  }

  float[] values(int count) {
    float[] values = new float[count];
    for (int i = 0; i < count; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
  }

  static Window2d window() {
    return Window2d.over(
        Shape.image(4, 5, 6), Pair.of(3), Pair.of(1), Pair.of(1), Padding.of(1), false);
  }

  cudnnConvolutionDescriptor descriptor(int mathType) {
    return dnn.convolution(window(), 1, mathType);
  }

  long workspaceBytes() {
    long[] bytes = new long[1];
    ok(
        JCudnn.cudnnGetConvolutionForwardWorkspaceSize(
            dnn.handle,
            xShape,
            wShape,
            descriptor(cudnnMathType.CUDNN_FMA_MATH),
            yShape,
            PRECOMPUTED,
            bytes));
    return bytes[0];
  }

  /** y = x * w without a workspace; returns the status. */
  int run(int mathType) {
    return run(descriptor(mathType), IMPLICIT, new CUdeviceptr(), 0, x, y);
  }

  int run(
      cudnnConvolutionDescriptor window,
      int algorithm,
      CUdeviceptr workspace,
      long bytes,
      Pointer from,
      Pointer to) {
    return JCudnn.cudnnConvolutionForward(
        dnn.handle,
        ONE,
        xShape,
        from,
        wShape,
        w,
        window,
        algorithm,
        workspace,
        bytes,
        ZERO,
        yShape,
        to);
  }

  float[] result() {
    return dnn.read(y, Y);
  }
}
