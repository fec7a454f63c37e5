package convtrain.backend.cuda.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import convtrain.backend.cuda.natives.CacheFolder;
import convtrain.softcuda.SoftCuda;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The context with all that it owns, and how failures of its calls are told. */
class CudaContextTest extends DeviceTest {
  @Test
  void descriptionNamesDeviceAndLibraries() {
    assertThat(context().description())
        .matches(
            ".+, compute capability \\d+\\.\\d, \\d+\\.\\d GiB; driver \\d+\\.\\d+, cuDNN 9\\.\\d+\\.\\d+, "
                + "cuBLAS 1\\d\\.\\d+\\.\\d+, NVRTC 1\\d\\.\\d+")
        .startsWith(context().info().name());
    assertThat(context().freeBytes()).isBetween(1L, context().info().memoryBytes());
    assertThat(context().info().multiprocessors()).isPositive();
  }

  @Test
  void contextsFollowOneAnotherInOneProcess() {
    for (int i = 0; i < 3; i++) {
      reopen();
      try (CudaBuffer buffer = context().allocate(8)) {
        buffer.write(0, host(8).putLong(0, i));
        ByteBuffer read = host(8);
        buffer.read(0, read);
        assertThat(read.getLong(0)).isEqualTo(i);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "cuStreamCreate:1, 2, cuStreamCreate: CUDA_ERROR_OUT_OF_MEMORY",
    "cuStreamCreate:2, 719, cuStreamCreate: CUDA_ERROR_LAUNCH_FAILED",
    "cudnnCreate:1, 1001, cudnnCreate: CUDNN_STATUS_NOT_INITIALIZED",
    "cudnnSetStream:1, 2000, cudnnSetStream: CUDNN_STATUS_BAD_PARAM",
    "cublasCreate:1, 3, cublasCreate: CUBLAS_STATUS_ALLOC_FAILED",
    "cublasSetStream:1, 7, cublasSetStream: CUBLAS_STATUS_INVALID_VALUE",
    "cublasSetWorkspace:1, 7, cublasSetWorkspace: CUBLAS_STATUS_INVALID_VALUE",
    "alloc:1, 719, cuMemAlloc: CUDA_ERROR_LAUNCH_FAILED",
    "cuMemsetD8Async:1, 719, cuMemsetD8Async: CUDA_ERROR_LAUNCH_FAILED",
    "hostalloc:1, 2, cuMemHostAlloc: CUDA_ERROR_OUT_OF_MEMORY",
    "nvrtcVersion:1, 11, nvrtcVersion: NVRTC_ERROR_INTERNAL_ERROR",
    "nvrtcGetSupportedArchs:1, 3, nvrtcGetSupportedArchs: NVRTC_ERROR_INVALID_INPUT",
    "cuEventCreate:1, 719, cuEventCreate: CUDA_ERROR_LAUNCH_FAILED",
    "cuEventCreate:2, 719, cuEventCreate: CUDA_ERROR_LAUNCH_FAILED"
  })
  void constructionThatFailsHalfWayNamesTheCallAndFreesAll(
      String call, int status, String message) {
    assumeTrue(software(), "failures are injected by the software device");
    closeContext();
    SoftCuda.control("fail=" + call + ":" + status);
    assertThatThrownBy(() -> new CudaContext(true, new CacheFolder(cacheFolder)).close())
        .isInstanceOfSatisfying(CudaException.class, e -> assertThat(e.status()).isEqualTo(status))
        .hasMessageStartingWith(message)
        .hasNoSuppressedExceptions();
    assertThat(SoftCuda.injected()).hasSize(1);
    assertThat(SoftCuda.leaks()).isEmpty();
    assertThat(SoftCuda.violations()).isEmpty();
    assertThat(SoftCuda.log()).last().isEqualTo("context destroyed");
  }

  @Test
  void allocationWhoseFillFailsIsFreed() {
    assumeTrue(software(), "failures are injected by the software device");
    reopen("fail=cuMemsetD8Async:2:719");
    long before = context().allocatedBytes();
    assertThatThrownBy(() -> context().allocate(100)).isInstanceOf(CudaException.class);
    assertThat(context().allocatedBytes()).isEqualTo(before);
  }

  @Test
  void failureOfEnqueuedWorkSurfacesWhenItIsWaitedFor() {
    assumeTrue(software(), "failures are injected by the software device");
    closeContext();
    SoftCuda.control("fail=execution:3:700");
    CudaContext broken = new CudaContext(true, new CacheFolder(cacheFolder));
    CudaBuffer buffer = broken.allocate(64);
    Launch launch =
        broken.kernels().get("device_test", "twice_plus_one").launch(1L, 32, buffer, 16);
    launch.enqueue();
    assertThatThrownBy(broken::synchronize)
        .isInstanceOf(CudaException.class)
        .hasMessageStartingWith("cuStreamSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS (");
    assertThatThrownBy(launch::enqueue)
        .hasMessageStartingWith(
            "cuLaunchKernel of device_test.twice_plus_one, grid 1 x 1 x 1, block 32 x 1 x 1, 2 arguments: CUDA_ERROR_ILLEGAL_ADDRESS");
    buffer.close();
    broken.close();
    assertThat(SoftCuda.log()).last().isEqualTo("context destroyed");
  }

  @Test
  void failureThatNobodyWaitedForSurfacesWhenMemoryIsReleased() {
    assumeTrue(software(), "failures are injected by the software device");
    closeContext();
    SoftCuda.control("fail=execution:2:700");
    CudaContext broken = new CudaContext(true, new CacheFolder(cacheFolder));
    CudaBuffer buffer = broken.allocate(64);
    assertThatThrownBy(buffer::close)
        .isInstanceOf(CudaException.class)
        .hasMessageStartingWith("cuMemFree: CUDA_ERROR_ILLEGAL_ADDRESS");
    broken.close();
    reopen();
    context().allocate(64).close();
  }

  @Test
  void checkWithoutACallNamesTheMethodItStandsIn() {
    assertThatThrownBy(() -> Status.cuda(2))
        .hasMessageMatching("CudaContextTest\\..+: CUDA_ERROR_OUT_OF_MEMORY \\(.+\\)");
    assertThatThrownBy(() -> Status.cublas(7))
        .hasMessageContaining("CudaContextTest.")
        .hasMessageEndingWith(": CUBLAS_STATUS_INVALID_VALUE");
    assertThatThrownBy(() -> Status.cudnn(2000)).hasMessageContaining("CUDNN_STATUS_BAD_PARAM");
    assertThatThrownBy(() -> Status.nvrtc(6)).hasMessageContaining("NVRTC_ERROR_COMPILATION");
    assertThatThrownBy(() -> Status.cuda("cuFoo", 123456))
        .hasMessageContaining("cuFoo: error 123456");
    Status.cuda(0);
    Status.cudnn(0);
    Status.cublas(0);
    Status.nvrtc(0);
  }
}
