package convtrain.backend.cuda.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.CudaException;
import convtrain.backend.cuda.device.Kernel;
import convtrain.backend.cuda.device.Launch;
import convtrain.backend.cuda.device.Status;
import convtrain.backend.cuda.natives.CacheFolder;
import convtrain.backend.cuda.natives.NativeLibraries;
import convtrain.graph.Pair;
import convtrain.graph.Precision;
import convtrain.softcuda.SoftCuda;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is left to compute with where cuDNN refuses, on the software device, which is told to. */
class CudnnRefusalTest {
  private static final int EXECUTION_FAILED = 5000;

  @TempDir Path cacheFolder;
  private CudaContext cuda;

  @BeforeEach
  void load() {
    SoftCuda.assumeAvailable();
    NativeLibraries.load();
  }

  @AfterEach
  void close() {
    if (cuda != null) {
      cuda.close();
    }
  }

  private CudaContext open(String... control) {
    SoftCuda.control(control);
    cuda = new CudaContext(true, new CacheFolder(cacheFolder));
    return cuda;
  }

  /** Of 8 channels to 8, with padding that keeps images of 6x5 as large as they are. */
  private static ConvGeometry convolution(int kernel, int groups) {
    Pair one = Pair.of(1);
    Pair padding = Pair.of(kernel / 2);
    return new ConvGeometry(
        Precision.FP32, 2, 8, 6, 5, 8, 6, 5, Pair.of(kernel), one, one, padding, groups);
  }

  private static List<String> names(List<ConvWay> ways) {
    return ways.stream().map(ConvWay::name).toList();
  }

  @Test
  void aCudnnThatListsNothingLeavesTheOtherWays() {
    open(
        "fail=cudnnGetConvolutionForwardAlgorithm_v7:1:4000",
        "fail=cudnnGetConvolutionBackwardDataAlgorithm_v7:1:5000",
        "fail=cudnnGetConvolutionBackwardFilterAlgorithm_v7:1:3000");
    try (ConvWays ways = new ConvWays(cuda, convolution(1, 1), true, true)) {
      assertThat(names(ways.forward())).endsWith("cublas");
      assertThat(names(ways.backwardData())).endsWith("cublas");
      assertThat(names(ways.backwardFilter())).endsWith("cublas");
      assertThat(ways.refusals())
          .startsWith("cudnnGetConvolutionForwardAlgorithm_v7: CUDNN_STATUS_INTERNAL_ERROR")
          .hasSize(3);
    }
    assertThat(SoftCuda.injected()).hasSize(3);
  }

  @Test
  void deterministicAlgorithmsThatAreNotListedAreAskedForByNumber() {
    open(
        "fail=cudnnGetConvolutionForwardAlgorithm_v7:1:3000",
        "fail=cudnnGetConvolutionBackwardDataAlgorithm_v7:1:3000",
        "fail=cudnnGetConvolutionBackwardFilterAlgorithm_v7:1:3000");
    try (ConvWays grouped = new ConvWays(cuda, convolution(3, 4), true, true)) {
      assertThat(names(grouped.forward()))
          .containsExactly("cudnn algorithm 1 math 3", "cudnn algorithm 0 math 3");
      assertThat(names(grouped.backwardData())).containsExactly("cudnn algorithm 1 math 3");
      assertThat(names(grouped.backwardFilter())).containsExactly("cudnn algorithm 1 math 3");
    }
  }

  @Test
  void algorithmThatCudnnRefusesByNumberTooIsNotOffered() {
    open(
        "fail=cudnnGetConvolutionForwardAlgorithm_v7:1:3000",
        "fail=cudnnGetConvolutionForwardWorkspaceSize:1:3000");
    try (ConvWays grouped = new ConvWays(cuda, convolution(3, 4), true, true)) {
      assertThat(names(grouped.forward())).containsExactly("cudnn algorithm 0 math 3");
      assertThat(grouped.refusals())
          .last()
          .isEqualTo("workspace of cudnn algorithm 1 math 3: CUDNN_STATUS_NOT_SUPPORTED");
    }
  }

  @Test
  void depthwiseConvolutionsHaveAWayThatIsNotCudnns() {
    open("fail=cudnnGetConvolutionForwardAlgorithm_v7:1:3000");
    try (ConvWays depthwise = new ConvWays(cuda, convolution(3, 8), true, true)) {
      assertThat(names(depthwise.forward())).endsWith("convtrain:conv_depthwise");
      assertThat(names(depthwise.backwardData())).endsWith("convtrain:conv_depthwise");
      assertThat(names(depthwise.backwardFilter())).endsWith("convtrain:conv_depthwise");
    }
  }

  @Test
  void aCudnnThatDoesNotWorkAtAllIsNotPassedOver() {
    open("fail=cudnnGetConvolutionForwardAlgorithm_v7:1:1001");
    assertThatThrownBy(() -> new ConvWays(cuda, convolution(1, 1), true, true).close())
        .isInstanceOf(CudaException.class)
        .hasMessage("cudnnGetConvolutionForwardAlgorithm_v7: CUDNN_STATUS_NOT_INITIALIZED");
  }

  /** The third work on the device is the candidate's: memory was filled before, twice. */
  @Test
  void refusalOnADeviceThatBrokeEndsTheRun() {
    open("fail=execution:3:700");
    Kernel fill = cuda.kernels().get("device_test", "fill");
    try (CudaBuffer out = cuda.allocate(256 * Float.BYTES)) {
      Launch illegal = fill.launch(1, 256, out, 256, 1f);
      Runnable failing =
          () -> {
            illegal.enqueue();
            Status.cudnn("cudnnConvolutionForward", EXECUTION_FAILED);
          };
      assertThatThrownBy(
              () -> Fastest.of(cuda, "op", List.of("a", "b"), List.of(failing, () -> {})))
          .isInstanceOf(CudaException.class)
          .hasMessageStartingWith("cuStreamSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS")
          .satisfies(e -> assertThat(e.getSuppressed()).hasSize(1));
    }
  }
}
