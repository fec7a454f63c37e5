package convtrain.softcuda;

import static convtrain.softcuda.CudnnFixture.FLOAT;
import static convtrain.softcuda.CudnnFixture.NCHW;
import static convtrain.softcuda.CudnnFixture.ONE;
import static convtrain.softcuda.CudnnFixture.ZERO;
import static convtrain.softcuda.CudnnFixture.scalar;
import static convtrain.softcuda.DriverFixture.ok;
import static jcuda.jcudnn.cudnnMathType.CUDNN_DEFAULT_MATH;
import static jcuda.jcudnn.cudnnMathType.CUDNN_FMA_MATH;
import static org.assertj.core.api.Assertions.assertThat;

import convtrain.graph.Padding;
import convtrain.graph.Pair;
import convtrain.graph.Shape;
import convtrain.graph.Window2d;
import java.util.Arrays;
import java.util.List;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.JCudaDriver;
import jcuda.jcudnn.JCudnn;
import jcuda.jcudnn.cudnnConvolutionBwdFilterAlgo;
import jcuda.jcudnn.cudnnConvolutionBwdFilterAlgoPerf;
import jcuda.jcudnn.cudnnDataType;
import jcuda.jcudnn.cudnnDeterminism;
import jcuda.jcudnn.cudnnNanPropagation;
import jcuda.jcudnn.cudnnPoolingMode;
import jcuda.jcudnn.cudnnTensorDescriptor;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Where cuDNN leaves itself freedom, the software one takes it; where it has rules, it keeps them.
 */
class SoftCudnnFreedomTest {
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
      assertThat(SoftCuda.violations()).isEmpty();
    }
  }

  @Test
  void theFastestAlgorithmsAreNotReproducible() {
    List<cudnnConvolutionBwdFilterAlgoPerf> found = algorithms(new SmallConvolution(dnn));
    assertThat(found.get(0).determinism).isEqualTo(cudnnDeterminism.CUDNN_NON_DETERMINISTIC);
    assertThat(found.get(0).time).isPositive();
    assertThat(found)
        .filteredOn(each -> each.status == 0)
        .isSortedAccordingTo((a, b) -> Float.compare(a.time, b.time))
        .anyMatch(each -> each.determinism == cudnnDeterminism.CUDNN_DETERMINISTIC);
    assertThat(found)
        .filteredOn(
            each ->
                each.algo == cudnnConvolutionBwdFilterAlgo.CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT)
        .allMatch(each -> each.status == CudnnFixture.NOT_SUPPORTED && each.time == -1);
  }

  private List<cudnnConvolutionBwdFilterAlgoPerf> algorithms(SmallConvolution conv) {
    var found = new cudnnConvolutionBwdFilterAlgoPerf[20];
    Arrays.setAll(found, i -> new cudnnConvolutionBwdFilterAlgoPerf());
    int[] count = new int[1];
    CUdeviceptr workspace = dnn.empty(1 << 16);
    ok(
        JCudnn.cudnnFindConvolutionBackwardFilterAlgorithmEx(
            dnn.handle,
            conv.xShape,
            conv.x,
            conv.yShape,
            conv.y,
            conv.descriptor(CUDNN_FMA_MATH),
            conv.wShape,
            dnn.empty(SmallConvolution.W),
            found.length,
            count,
            found,
            workspace,
            4 << 16));
    return List.of(found).subList(0, count[0]);
  }

  @Test
  void onlyDeterministicAlgorithmsGiveTheSameBitsAgain() {
    SmallConvolution conv = new SmallConvolution(dnn);
    CUdeviceptr dy = dnn.device(conv.values(SmallConvolution.Y));
    for (var algorithm : algorithms(conv)) {
      if (algorithm.status == 0) {
        float[] first = backwardFilter(conv, dy, algorithm);
        float[] second = backwardFilter(conv, dy, algorithm);
        assertThat(Arrays.equals(first, second))
            .as("algorithm %d", algorithm.algo)
            .isEqualTo(algorithm.determinism == cudnnDeterminism.CUDNN_DETERMINISTIC);
      }
    }
  }

  private float[] backwardFilter(
      SmallConvolution conv, CUdeviceptr dy, cudnnConvolutionBwdFilterAlgoPerf algorithm) {
    CUdeviceptr dw = dnn.empty(SmallConvolution.W);
    CUdeviceptr workspace = dnn.empty(algorithm.memory / 4 + 1);
    ok(
        JCudnn.cudnnConvolutionBackwardFilter(
            dnn.handle,
            ONE,
            conv.xShape,
            conv.x,
            conv.yShape,
            dy,
            conv.descriptor(CUDNN_FMA_MATH),
            algorithm.algo,
            workspace,
            algorithm.memory,
            ZERO,
            conv.wShape,
            dw));
    return dnn.read(dw, SmallConvolution.W);
  }

  @Test
  void fp32IsRoundedToTf32UnlessFmaMathIsAskedFor() {
    SmallConvolution conv = new SmallConvolution(dnn);
    ok(conv.run(CUDNN_FMA_MATH));
    float[] exact = conv.result();
    ok(conv.run(CUDNN_DEFAULT_MATH));
    float[] rounded = conv.result();
    float largest = 0;
    for (int i = 0; i < exact.length; i++) {
      largest = Math.max(largest, Math.abs(exact[i] - rounded[i]));
    }
    assertThat(largest).isBetween(1e-4f, 2e-2f);
  }

  @Test
  void betaAddsToWhatIsThere() {
    cudnnTensorDescriptor shape = dnn.tensor(NCHW, 1, 3, 1, 1);
    CUdeviceptr a = dnn.device(1, 2, 3);
    CUdeviceptr c = dnn.device(10, 20, 30);
    ok(JCudnn.cudnnAddTensor(dnn.handle, scalar(2), shape, a, scalar(0.5f), shape, c));
    assertThat(dnn.read(c, 3)).containsExactly(7, 14, 21);
  }

  @Test
  void stridesMaySkipMemory() {
    cudnnTensorDescriptor everySecond = dnn.tensor();
    ok(JCudnn.cudnnSetTensor4dDescriptorEx(everySecond, FLOAT, 1, 3, 1, 1, 6, 2, 1, 1));
    CUdeviceptr a = dnn.device(1, 2, 3);
    CUdeviceptr c = dnn.device(9, 9, 9, 9, 9);
    ok(
        JCudnn.cudnnAddTensor(
            dnn.handle, ONE, dnn.tensor(NCHW, 1, 3, 1, 1), a, ZERO, everySecond, c));
    assertThat(dnn.read(c, 5)).containsExactly(1, 9, 2, 9, 3);
  }

  @Test
  void halvesAreComputedInFp32AndRoundedToTheNearestEven() {
    cudnnTensorDescriptor shape = dnn.tensor();
    ok(JCudnn.cudnnSetTensor4dDescriptor(shape, NCHW, cudnnDataType.CUDNN_DATA_HALF, 1, 4, 1, 1));
    // 1, 1 + 2^-10, 65504, 2^-24, doubled and halved: the largest overflows, the smallest ties to 0
    CUdeviceptr a = dnn.halves(new short[] {0x3c00, 0x3c01, 0x7bff, 0x0001});
    assertThat(scaled(shape, a, 2)).containsExactly(0x4000, 0x4001, 0x7c00, 0x0002);
    assertThat(scaled(shape, a, 0.5f)).containsExactly(0x3800, 0x3801, 0x77ff, 0x0000);
  }

  private short[] scaled(cudnnTensorDescriptor shape, CUdeviceptr a, float factor) {
    CUdeviceptr c = dnn.empty(2);
    ok(JCudnn.cudnnAddTensor(dnn.handle, scalar(factor), shape, a, ZERO, shape, c));
    ok(JCudaDriver.cuCtxSynchronize());
    short[] found = new short[4];
    ok(JCudaDriver.cuMemcpyDtoH(Pointer.to(found), c, 8));
    return found;
  }

  @Test
  void equalMaximaGiveTheGradientToOneOfThem() {
    int deterministic = cudnnPoolingMode.CUDNN_POOLING_MAX_DETERMINISTIC;
    assertThat(gradientOfTies(deterministic)).containsExactly(0, 0, 0, 5);
    float[] first = gradientOfTies(cudnnPoolingMode.CUDNN_POOLING_MAX);
    float[] second = gradientOfTies(cudnnPoolingMode.CUDNN_POOLING_MAX);
    assertThat(first).containsOnlyOnce(5f).isNotEqualTo(second);
  }

  private float[] gradientOfTies(int mode) {
    Window2d window =
        Window2d.over(
            Shape.image(1, 2, 2), Pair.of(2), Pair.of(2), Pair.of(1), Padding.NONE, false);
    var pool = dnn.pooling(mode, cudnnNanPropagation.CUDNN_PROPAGATE_NAN, window);
    cudnnTensorDescriptor xShape = dnn.tensor(NCHW, 1, 1, 2, 2);
    cudnnTensorDescriptor yShape = dnn.tensor(NCHW, 1, 1, 1, 1);
    CUdeviceptr x = dnn.device(3, 3, 3, 3);
    CUdeviceptr y = dnn.empty(1);
    CUdeviceptr dx = dnn.empty(4);
    ok(JCudnn.cudnnPoolingForward(dnn.handle, pool, ONE, xShape, x, ZERO, yShape, y));
    ok(
        JCudnn.cudnnPoolingBackward(
            dnn.handle, pool, ONE, yShape, y, yShape, dnn.device(5), xShape, x, ZERO, xShape, dx));
    return dnn.read(dx, 4);
  }

  @Test
  void maximaSkipNaNUnlessItShallPropagate() {
    assertThat(maximumOf(cudnnNanPropagation.CUDNN_NOT_PROPAGATE_NAN)).isEqualTo(2);
    assertThat(maximumOf(cudnnNanPropagation.CUDNN_PROPAGATE_NAN)).isNaN();
  }

  private float maximumOf(int nan) {
    Window2d window =
        Window2d.over(
            Shape.image(1, 1, 3), new Pair(1, 3), Pair.of(1), Pair.of(1), Padding.NONE, false);
    var pool = dnn.pooling(cudnnPoolingMode.CUDNN_POOLING_MAX, nan, window);
    CUdeviceptr x = dnn.device(1, Float.NaN, 2);
    CUdeviceptr y = dnn.empty(1);
    ok(
        JCudnn.cudnnPoolingForward(
            dnn.handle,
            pool,
            ONE,
            dnn.tensor(NCHW, 1, 1, 1, 3),
            x,
            ZERO,
            dnn.tensor(NCHW, 1, 1, 1, 1),
            y));
    return dnn.read(y, 1)[0];
  }
}
