package convtrain.softcuda;

import static convtrain.softcuda.CudnnFixture.NOT_SUPPORTED;
import static convtrain.softcuda.CudnnFixture.ONE;
import static convtrain.softcuda.CudnnFixture.ZERO;
import static convtrain.softcuda.DriverFixture.ok;
import static org.assertj.core.api.Assertions.assertThat;

import convtrain.graph.Window2d;
import convtrain.testing.Golden;
import jcuda.driver.CUdeviceptr;
import jcuda.jcudnn.JCudnn;
import jcuda.jcudnn.cudnnConvolutionBwdDataAlgo;
import jcuda.jcudnn.cudnnConvolutionBwdFilterAlgo;
import jcuda.jcudnn.cudnnConvolutionDescriptor;
import jcuda.jcudnn.cudnnConvolutionFwdAlgo;
import jcuda.jcudnn.cudnnFilterDescriptor;
import jcuda.jcudnn.cudnnMathType;
import jcuda.jcudnn.cudnnTensorDescriptor;

/** A convolution of PyTorch's on the device: both gradients and the bias, by every algorithm. */
final class ConvolutionCase {
  private static final String WEIGHT = "conv2d1.weight";
  private static final String BIAS = "conv2d1.bias";

  /** Asks for an algorithm's workspace. */
  private interface Query {
    int ask(int algorithm, long[] bytes);
  }

  /** Runs an algorithm with that workspace. */
  private interface Run {
    int run(int algorithm, CUdeviceptr workspace, long bytes);
  }

  private final CudnnFixture dnn;
  private final Golden.Case golden;
  private final int format;
  private final cudnnTensorDescriptor xShape;
  private final cudnnTensorDescriptor yShape;
  private final cudnnFilterDescriptor wShape;
  private final cudnnConvolutionDescriptor window;
  private final CUdeviceptr x;
  private final CUdeviceptr w;
  private final CUdeviceptr dy;

  ConvolutionCase(CudnnFixture dnn, Golden.Case golden, int format, Window2d window, int groups) {
    this.dnn = dnn;
    this.golden = golden;
    this.format = format;
    Golden.Tensor weight = golden.tensor("parameters/" + WEIGHT);
    xShape = dnn.tensor(format, Layout.dims(golden.tensor("x")));
    yShape = dnn.tensor(format, Layout.dims(golden.tensor("y")));
    wShape = dnn.filter(format, Layout.dims(weight));
    this.window = dnn.convolution(window, groups, cudnnMathType.CUDNN_FMA_MATH);
    x = dnn.device(Layout.store(format, golden.tensor("x")));
    w = dnn.device(Layout.store(format, weight));
    dy = dnn.device(Layout.store(format, golden.tensor("dy")));
  }

  void check() {
    forward();
    backwardData();
    backwardFilter();
  }

  private void forward() {
    Golden.Tensor expected = golden.tensor("y");
    CUdeviceptr y = dnn.empty(expected.values().length);
    int ran =
        each(
            cudnnConvolutionFwdAlgo.CUDNN_CONVOLUTION_FWD_ALGO_COUNT,
            (algorithm, bytes) ->
                JCudnn.cudnnGetConvolutionForwardWorkspaceSize(
                    dnn.handle, xShape, wShape, window, yShape, algorithm, bytes),
            (algorithm, workspace, bytes) -> {
              boolean biased = writeBias(y, expected);
              return JCudnn.cudnnConvolutionForward(
                  dnn.handle,
                  ONE,
                  xShape,
                  x,
                  wShape,
                  w,
                  window,
                  algorithm,
                  workspace,
                  bytes,
                  biased ? ONE : ZERO,
                  yShape,
                  y);
            },
            y,
            expected,
            "y");
    assertThat(ran).isPositive();
  }

  /** The bias in every pixel of y, if there is one, for the convolution to be added to. */
  private boolean writeBias(CUdeviceptr y, Golden.Tensor tensor) {
    if (!golden.has("parameters/" + BIAS)) {
      return false;
    }
    float[] bias = golden.tensor("parameters/" + BIAS).floats();
    int[] dims = Layout.dims(tensor);
    int stride = format == CudnnFixture.NCHW ? dims[2] * dims[3] : 1;
    float[] values = new float[tensor.values().length];
    for (int i = 0; i < values.length; i++) {
      values[i] = bias[i / stride % bias.length];
    }
    dnn.cuda.write(y, values);
    return true;
  }

  private void backwardData() {
    Golden.Tensor expected = golden.tensor("dx");
    CUdeviceptr dx = dnn.empty(expected.values().length);
    int ran =
        each(
            cudnnConvolutionBwdDataAlgo.CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT,
            (algorithm, bytes) ->
                JCudnn.cudnnGetConvolutionBackwardDataWorkspaceSize(
                    dnn.handle, wShape, yShape, window, xShape, algorithm, bytes),
            (algorithm, workspace, bytes) ->
                JCudnn.cudnnConvolutionBackwardData(
                    dnn.handle,
                    ONE,
                    wShape,
                    w,
                    yShape,
                    dy,
                    window,
                    algorithm,
                    workspace,
                    bytes,
                    ZERO,
                    xShape,
                    dx),
            dx,
            expected,
            "dx");
    assertThat(ran).isGreaterThan(1);
  }

  private void backwardFilter() {
    Golden.Tensor expected = golden.tensor("gradients/" + WEIGHT);
    CUdeviceptr dw = dnn.empty(expected.values().length);
    int ran =
        each(
            cudnnConvolutionBwdFilterAlgo.CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT,
            (algorithm, bytes) ->
                JCudnn.cudnnGetConvolutionBackwardFilterWorkspaceSize(
                    dnn.handle, xShape, yShape, window, wShape, algorithm, bytes),
            (algorithm, workspace, bytes) ->
                JCudnn.cudnnConvolutionBackwardFilter(
                    dnn.handle,
                    ONE,
                    xShape,
                    x,
                    yShape,
                    dy,
                    window,
                    algorithm,
                    workspace,
                    bytes,
                    ZERO,
                    wShape,
                    dw),
            dw,
            expected,
            "dw");
    assertThat(ran).isGreaterThan(1);
  }

  /** Runs all algorithms that support the case, and returns how many do. */
  private int each(
      int algorithms,
      Query query,
      Run run,
      CUdeviceptr result,
      Golden.Tensor expected,
      String what) {
    int ran = 0;
    for (int algorithm = 0; algorithm < algorithms; algorithm++) {
      long[] bytes = new long[1];
      int status = query.ask(algorithm, bytes);
      if (status == NOT_SUPPORTED) {
        continue;
      }
      ok(status);
      CUdeviceptr workspace = bytes[0] == 0 ? new CUdeviceptr() : dnn.empty(bytes[0] / 4);
      ok(run.run(algorithm, workspace, bytes[0]));
      float[] values = dnn.read(result, expected.values().length);
      Layout.check(what + " by algorithm " + algorithm, format, values, expected);
      ran++;
    }
    return ran;
  }
}
