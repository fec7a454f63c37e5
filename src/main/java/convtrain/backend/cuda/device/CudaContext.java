package convtrain.backend.cuda.device;

import static jcuda.driver.JCudaDriver.cuCtxSetCurrent;
import static jcuda.driver.JCudaDriver.cuDeviceGet;
import static jcuda.driver.JCudaDriver.cuDeviceGetCount;
import static jcuda.driver.JCudaDriver.cuDevicePrimaryCtxRelease;
import static jcuda.driver.JCudaDriver.cuDevicePrimaryCtxRetain;
import static jcuda.driver.JCudaDriver.cuInit;
import static jcuda.driver.JCudaDriver.cuMemGetInfo;
import static jcuda.driver.JCudaDriver.cuStreamCreate;
import static jcuda.driver.JCudaDriver.cuStreamDestroy;
import static jcuda.driver.JCudaDriver.cuStreamSynchronize;
import static jcuda.jcublas.JCublas2.cublasCreate;
import static jcuda.jcublas.JCublas2.cublasDestroy;
import static jcuda.jcublas.JCublas2.cublasGetVersion;
import static jcuda.jcublas.JCublas2.cublasSetMathMode;
import static jcuda.jcublas.JCublas2.cublasSetStream;
import static jcuda.jcublas.JCublas2.cublasSetWorkspace;
import static jcuda.jcudnn.JCudnn.cudnnCreate;
import static jcuda.jcudnn.JCudnn.cudnnDestroy;
import static jcuda.jcudnn.JCudnn.cudnnGetVersion;
import static jcuda.jcudnn.JCudnn.cudnnSetStream;

import convtrain.backend.Owned;
import convtrain.backend.cuda.natives.CacheFolder;
import java.util.Locale;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.CUstream_flags;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasMath;
import jcuda.jcudnn.cudnnHandle;
import jcuda.runtime.cudaStream_t;

/**
 * The primary context of the first device that {@code CUDA_VISIBLE_DEVICES} leaves, current on the
 * thread that made this, with all that ops share: a stream for the steps and one for copies beside
 * them, cuDNN and cuBLAS on the stream of the steps, kernels and the tuner.
 */
public final class CudaContext implements AutoCloseable {
  /** NVIDIA's recommended cuBLAS workspace, of Hopper and newer and of what came before. */
  private static final long WORKSPACE_BYTES = 32L << 20;

  private static final long SMALL_WORKSPACE_BYTES = 4L << 20;
  private static final int HOPPER = 90;

  private final Owned owned = new Owned();
  private final boolean deterministic;
  private final DeviceInfo info;
  private final CUstream stream;
  private final CUstream copyStream;
  private final cudnnHandle cudnn = new cudnnHandle();
  private final cublasHandle cublas = new cublasHandle();
  private final Staging staging;
  private final KernelCompiler compiler;
  private final Kernels kernels;
  private final Tuner tuner;
  private long allocatedBytes;
  private long peakBytes;

  /**
   * @param deterministic whether only ways of computing that give the same bits each time are used
   * @param cache where compiled kernels and measurements are kept
   */
  public CudaContext(boolean deterministic, CacheFolder cache) {
    this.deterministic = deterministic;
    try {
      info = DeviceInfo.of(openDevice());
      stream = openStream();
      copyStream = openStream();
      openCudnn();
      openCublas();
      staging = owned.add(new Staging(stream));
      compiler = new KernelCompiler(info.capability());
      kernels = owned.add(new Kernels(stream, compiler, cache));
      String platform =
          "%s, driver %d, cuDNN %d".formatted(info.name(), info.driverVersion(), cudnnGetVersion());
      tuner = owned.add(new Tuner(stream, platform, deterministic, cache));
    } catch (RuntimeException | Error e) {
      closeAfter(e);
      throw e;
    }
  }

  private void closeAfter(Throwable failure) {
    try {
      owned.close();
    } catch (RuntimeException e) {
      failure.addSuppressed(e);
    }
  }

  private CUdevice openDevice() {
    Status.begin();
    Status.cuda("cuInit", cuInit(0));
    int[] count = new int[1];
    Status.cuda("cuDeviceGetCount", cuDeviceGetCount(count));
    if (count[0] == 0) {
      throw new CudaException(
          "no CUDA device (CUDA_VISIBLE_DEVICES=%s)"
              .formatted(System.getenv("CUDA_VISIBLE_DEVICES")),
          CUresult.CUDA_ERROR_NO_DEVICE);
    }
    CUdevice device = new CUdevice();
    Status.cuda("cuDeviceGet", cuDeviceGet(device, 0));
    CUcontext context = new CUcontext();
    Status.cuda("cuDevicePrimaryCtxRetain", cuDevicePrimaryCtxRetain(context, device));
    owned.add(
        () ->
            Status.release(
                () -> Status.cuda("cuDevicePrimaryCtxRelease", cuDevicePrimaryCtxRelease(device))));
    Status.cuda("cuCtxSetCurrent", cuCtxSetCurrent(context));
    owned.add(
        () ->
            Status.release(() -> Status.cuda("cuCtxSetCurrent", cuCtxSetCurrent(new CUcontext()))));
    return device;
  }

  /** One that does not wait for the default stream, on which others of the process may work. */
  private CUstream openStream() {
    CUstream made = new CUstream();
    Status.cuda("cuStreamCreate", cuStreamCreate(made, CUstream_flags.CU_STREAM_NON_BLOCKING));
    owned.add(() -> Status.release(() -> Status.cuda("cuStreamDestroy", cuStreamDestroy(made))));
    return made;
  }

  private void openCudnn() {
    Status.cudnn("cudnnCreate", cudnnCreate(cudnn));
    owned.add(() -> Status.release(() -> Status.cudnn("cudnnDestroy", cudnnDestroy(cudnn))));
    Status.cudnn("cudnnSetStream", cudnnSetStream(cudnn, new cudaStream_t(stream)));
  }

  /** With a workspace of our own, without which captured cuBLAS calls are not reproducible. */
  private void openCublas() {
    CudaBuffer workspace =
        owned.add(allocate(info.capability() >= HOPPER ? WORKSPACE_BYTES : SMALL_WORKSPACE_BYTES));
    Status.cublas("cublasCreate", cublasCreate(cublas));
    owned.add(() -> Status.release(() -> Status.cublas("cublasDestroy", cublasDestroy(cublas))));
    Status.cublas("cublasSetStream", cublasSetStream(cublas, new cudaStream_t(stream)));
    Status.cublas(
        "cublasSetWorkspace", cublasSetWorkspace(cublas, workspace.pointer(), workspace.bytes()));
    // By default partial sums of 16-bit products may be added up in 16 bits.
    Status.cublas(
        "cublasSetMathMode",
        cublasSetMathMode(
            cublas,
            cublasMath.CUBLAS_DEFAULT_MATH
                | cublasMath.CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION));
  }

  /** What the device is. */
  public DeviceInfo info() {
    return info;
  }

  /** Where everything of a step goes. */
  public CUstream stream() {
    return stream;
  }

  /** For copies that run beside the steps. */
  public CUstream copyStream() {
    return copyStream;
  }

  /** On {@link #stream}. */
  public cudnnHandle cudnn() {
    return cudnn;
  }

  /** On {@link #stream}. */
  public cublasHandle cublas() {
    return cublas;
  }

  public Kernels kernels() {
    return kernels;
  }

  public Tuner tuner() {
    return tuner;
  }

  /** Whether only ways of computing that give the same bits each time are used. */
  public boolean deterministic() {
    return deterministic;
  }

  /** New device memory, 256-byte aligned and zeroed. */
  public CudaBuffer allocate(long bytes) {
    return CudaBuffer.allocate(this, bytes);
  }

  /** New page-locked host memory, zeroed. */
  public PinnedBuffer pinned(long bytes) {
    return new PinnedBuffer(bytes);
  }

  /** Waits until everything on both streams is done; an error of it surfaces here. */
  public void synchronize() {
    Status.cuda("cuStreamSynchronize", cuStreamSynchronize(stream));
    Status.cuda("cuStreamSynchronize", cuStreamSynchronize(copyStream));
  }

  /** Waits as {@link #synchronize} does; after an error there is nothing to wait for. */
  void settle() {
    cuStreamSynchronize(stream);
    cuStreamSynchronize(copyStream);
  }

  /** Device memory that no one uses now. */
  public long freeBytes() {
    long[] free = new long[1];
    long[] total = new long[1];
    Status.cuda("cuMemGetInfo", cuMemGetInfo(free, total));
    return free[0];
  }

  /** Device memory that {@link #allocate} gave and that is not yet closed. */
  public long allocatedBytes() {
    return allocatedBytes;
  }

  /** The most that {@link #allocatedBytes} has been. */
  public long peakBytes() {
    return peakBytes;
  }

  void allocated(long bytes) {
    allocatedBytes += bytes;
    peakBytes = Math.max(peakBytes, allocatedBytes);
  }

  Staging staging() {
    return staging;
  }

  /** {@code NVIDIA H100, compute capability 9.0, 79.1 GiB; driver 12.6, cuDNN 9.5.1, ...}. */
  public String description() {
    int[] blas = new int[1];
    Status.cublas("cublasGetVersion", cublasGetVersion(cublas, blas));
    long dnn = cudnnGetVersion();
    return String.format(
        Locale.ROOT,
        "%s, compute capability %s, %.1f GiB; driver %s, cuDNN %d.%d.%d, cuBLAS %d.%d.%d, NVRTC %s",
        info.name(),
        info.capabilityText(),
        info.memoryBytes() / (double) (1L << 30),
        info.driverText(),
        dnn / 10000,
        dnn % 10000 / 100,
        dnn % 100,
        blas[0] / 10000,
        blas[0] % 10000 / 100,
        blas[0] % 100,
        compiler.version());
  }

  @Override
  public void close() {
    owned.close();
  }
}
