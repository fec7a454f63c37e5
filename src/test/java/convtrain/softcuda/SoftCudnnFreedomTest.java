package convtrain.softcuda;

import static convtrain.softcuda.CudnnFixture.NCHW;
import static convtrain.softcuda.CudnnFixture.ONE;
import static convtrain.softcuda.CudnnFixture.ZERO;
import static convtrain.softcuda.CudnnFixture.scalar;
import static convtrain.softcuda.DriverFixture.ok;
import static jcuda.jcudnn.cudnnMathType.CUDNN_DEFAULT_MATH;
import static jcuda.jcudnn.cudnnMathType.CUDNN_FMA_MATH;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import jcuda.driver.CUdeviceptr;
import jcuda.jcudnn.JCudnn;
import jcuda.jcudnn.cudnnConvolutionBwdFilterAlgo;
import jcuda.jcudnn.cudnnConvolutionBwdFilterAlgoPerf;
import jcuda.jcudnn.cudnnDeterminism;
import jcuda.jcudnn.cudnnSoftmaxAlgorithm;
import jcuda.jcudnn.cudnnSoftmaxMode;
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
    assertThat(found)
        .filteredOn(each -> each.status == 0)
        .anyMatch(each -> each.determinism == cudnnDeterminism.CUDNN_DETERMINISTIC);
    assertThat(found)
        .filteredOn(
            each ->
                each.algo == cudnnConvolutionBwdFilterAlgo.CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT)
        .allMatch(each -> each.status == CudnnFixture.NOT_SUPPORTED);
  }

  private List<cudnnConvolutionBwdFilterAlgoPerf> algorithms(SmallConvolution conv) {
    var found = new cudnnConvolutionBwdFilterAlgoPerf[20];
    Arrays.setAll(found, i -> new cudnnConvolutionBwdFilterAlgoPerf());
    int[] count = new int[1];
    ok(
        JCudnn.cudnnGetConvolutionBackwardFilterAlgorithm_v7(
            dnn.handle,
            conv.xShape,
            conv.yShape,
            conv.descriptor(CUDNN_FMA_MATH),
            conv.wShape,
            found.length,
            count,
            found));
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
    cudnnTensorDescriptor shape = dnn.tensor(NCHW, 1, 1, 1, 3);
    CUdeviceptr x = dnn.device(1, 2, 3);
    CUdeviceptr y = dnn.device(10, 20, 30);
    ok(
        JCudnn.cudnnSoftmaxForward(
            dnn.handle,
            cudnnSoftmaxAlgorithm.CUDNN_SOFTMAX_ACCURATE,
            cudnnSoftmaxMode.CUDNN_SOFTMAX_MODE_CHANNEL,
            scalar(2),
            shape,
            x,
            scalar(0.5f),
            shape,
            y));
    // Of one channel the softmax is 1.
    assertThat(dnn.read(y, 3)).containsExactly(7, 12, 17);
  }
}
