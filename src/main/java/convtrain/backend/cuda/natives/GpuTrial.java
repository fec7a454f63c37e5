package convtrain.backend.cuda.natives;

import convtrain.backend.BackendException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUfunction;
import jcuda.driver.CUmodule;
import jcuda.driver.JCudaDriver;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasHandle;
import jcuda.jcublas.cublasStatus;
import jcuda.jcudnn.JCudnn;
import jcuda.jcudnn.cudnnHandle;
import jcuda.nvrtc.JNvrtc;
import jcuda.nvrtc.nvrtcProgram;

/** Tries on the first GPU what training begins with: a context, both handles, a kernel of ours. */
final class GpuTrial implements AutoCloseable {
  private static final int THREADS = 32;

  private static final String KERNEL =
      """
      extern "C" __global__ void count(int *out) {
        out[threadIdx.x] = 1000 + threadIdx.x;
      }
      """;

  private final CUdevice device;

  /** Makes the device's primary context this thread's, which takes memory on the GPU. */
  GpuTrial() {
    device = Driver.device(0);
    CUcontext context = new CUcontext();
    Driver.check(JCudaDriver.cuDevicePrimaryCtxRetain(context, device), "cuDevicePrimaryCtxRetain");
    Driver.check(JCudaDriver.cuCtxSetCurrent(context), "cuCtxSetCurrent");
  }

  /** Whether cuDNN starts on the GPU. */
  static void cudnn() {
    cudnnHandle handle = new cudnnHandle();
    int status = JCudnn.cudnnCreate(handle);
    // Codes of cuDNN 9 differ from those that JCuda's class knows.
    expect(status == 0, "cudnnCreate", JCudnn.cudnnGetErrorString(status));
    status = JCudnn.cudnnDestroy(handle);
    expect(status == 0, "cudnnDestroy", JCudnn.cudnnGetErrorString(status));
  }

  /** Starts cuBLAS on the GPU; returns its version, such as 12.6.4. */
  static String cublas() {
    cublasHandle handle = new cublasHandle();
    int[] version = new int[1];
    expectCublas(JCublas2.cublasCreate(handle), "cublasCreate");
    expectCublas(JCublas2.cublasGetVersion(handle, version), "cublasGetVersion");
    expectCublas(JCublas2.cublasDestroy(handle), "cublasDestroy");
    return cublasVersion(version[0]);
  }

  /** 120604 is 12.6.4. */
  static String cublasVersion(int number) {
    return number / 10000 + "." + number / 100 % 100 + "." + number % 100;
  }

  /**
   * Compiles the kernel; needs no GPU.
   *
   * @param computeCapability such as 9.0, or null for the compiler's own choice
   * @return for the driver to load: machine code where the compiler knows the GPU, else PTX
   */
  static byte[] compile(String computeCapability) {
    if (computeCapability == null) {
      return compileWith();
    }
    try {
      return compileWith("--gpu-architecture=sm_" + computeCapability.replace(".", ""));
    } catch (BackendException e) {
      // A GPU newer than the compiler: the driver turns PTX of an older one into its code.
      return compileWith("--gpu-architecture=compute_90");
    }
  }

  private static byte[] compileWith(String... options) {
    nvrtcProgram program = new nvrtcProgram();
    expectNvrtc(
        JNvrtc.nvrtcCreateProgram(program, KERNEL, "count.cu", 0, null, null),
        "nvrtcCreateProgram");
    try {
      int status = JNvrtc.nvrtcCompileProgram(program, options.length, options);
      String[] log = {""};
      if (status != 0) {
        expectNvrtc(JNvrtc.nvrtcGetProgramLog(program, log), "nvrtcGetProgramLog");
      }
      expect(status == 0, "nvrtcCompileProgram", JNvrtc.nvrtcGetErrorString(status) + " " + log[0]);
      boolean machineCode = options.length > 0 && options[0].contains("=sm_");
      return machineCode ? cubin(program) : ptx(program);
    } finally {
      expectNvrtc(JNvrtc.nvrtcDestroyProgram(program), "nvrtcDestroyProgram");
    }
  }

  private static byte[] cubin(nvrtcProgram program) {
    long[] bytes = new long[1];
    expectNvrtc(JNvrtc.nvrtcGetCUBINSize(program, bytes), "nvrtcGetCUBINSize");
    byte[] code = new byte[Math.toIntExact(bytes[0])];
    expectNvrtc(JNvrtc.nvrtcGetCUBIN(program, code), "nvrtcGetCUBIN");
    return code;
  }

  private static byte[] ptx(nvrtcProgram program) {
    String[] text = new String[1];
    expectNvrtc(JNvrtc.nvrtcGetPTX(program, text), "nvrtcGetPTX");
    byte[] characters = text[0].getBytes(StandardCharsets.US_ASCII);
    // The driver expects the end to be marked.
    return Arrays.copyOf(characters, characters.length + 1);
  }

  /** Runs the kernel and reads what it wrote. */
  void run(byte[] code) {
    CUmodule module = new CUmodule();
    Driver.check(JCudaDriver.cuModuleLoadData(module, code), "cuModuleLoadData");
    CUdeviceptr out = new CUdeviceptr();
    Driver.check(JCudaDriver.cuMemAlloc(out, THREADS * (long) Integer.BYTES), "cuMemAlloc");
    CUfunction function = new CUfunction();
    Driver.check(JCudaDriver.cuModuleGetFunction(function, module, "count"), "cuModuleGetFunction");
    Pointer parameters = Pointer.to(Pointer.to(out));
    Driver.check(
        JCudaDriver.cuLaunchKernel(function, 1, 1, 1, THREADS, 1, 1, 0, null, parameters, null),
        "cuLaunchKernel");
    Driver.check(JCudaDriver.cuCtxSynchronize(), "cuCtxSynchronize");
    int[] values = new int[THREADS];
    Driver.check(
        JCudaDriver.cuMemcpyDtoH(Pointer.to(values), out, THREADS * (long) Integer.BYTES),
        "cuMemcpyDtoH");
    for (int i = 0; i < THREADS; i++) {
      expect(values[i] == 1000 + i, "the kernel", "wrote " + Arrays.toString(values));
    }
    Driver.check(JCudaDriver.cuMemFree(out), "cuMemFree");
    Driver.check(JCudaDriver.cuModuleUnload(module), "cuModuleUnload");
  }

  /** Gives the context back. */
  @Override
  public void close() {
    Driver.check(JCudaDriver.cuDevicePrimaryCtxRelease(device), "cuDevicePrimaryCtxRelease");
  }

  private static void expectNvrtc(int status, String call) {
    expect(status == 0, call, status == 0 ? "" : JNvrtc.nvrtcGetErrorString(status));
  }

  private static void expectCublas(int status, String call) {
    expect(status == 0, call, status == 0 ? "" : cublasStatus.stringFor(status));
  }

  private static void expect(boolean met, String call, String answer) {
    if (!met) {
      throw new BackendException(call + ": " + answer.strip());
    }
  }
}
