package convtrain.softcuda;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import jcuda.Pointer;
import jcuda.driver.CUcontext;
import jcuda.driver.CUdevice;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUevent;
import jcuda.driver.CUfunction;
import jcuda.driver.CUmodule;
import jcuda.driver.CUstream;
import jcuda.driver.JCudaDriver;
import jcuda.nvrtc.JNvrtc;
import jcuda.nvrtc.nvrtcProgram;

/** One context of the device, driven through JCuda alone; every call here must succeed. */
final class DriverFixture implements AutoCloseable {
  /** {@code CU_STREAM_NON_BLOCKING}. */
  private static final int NON_BLOCKING = 1;

  final CUstream stream;

  DriverFixture(String... control) {
    SoftCuda.control(control);
    ok(JCudaDriver.cuInit(0));
    CUdevice device = new CUdevice();
    ok(JCudaDriver.cuDeviceGet(device, 0));
    CUcontext context = new CUcontext();
    ok(JCudaDriver.cuDevicePrimaryCtxRetain(context, device));
    ok(JCudaDriver.cuCtxSetCurrent(context));
    stream = stream();
  }

  static void ok(int status) {
    assertThat(status).as("status").isZero();
  }

  CUstream stream() {
    CUstream made = new CUstream();
    ok(JCudaDriver.cuStreamCreate(made, NON_BLOCKING));
    return made;
  }

  CUevent event() {
    CUevent made = new CUevent();
    ok(JCudaDriver.cuEventCreate(made, 0));
    return made;
  }

  CUdeviceptr device(long floats) {
    CUdeviceptr made = new CUdeviceptr();
    ok(JCudaDriver.cuMemAlloc(made, floats * Float.BYTES));
    return made;
  }

  /** Device memory with these values, on the device when this returns. */
  CUdeviceptr device(float... values) {
    CUdeviceptr made = device((long) values.length);
    write(made, values);
    return made;
  }

  void write(CUdeviceptr to, float... values) {
    Pointer pinned = pinned(values.length);
    view(pinned, values.length).put(values);
    ok(JCudaDriver.cuMemcpyHtoDAsync(to, pinned, bytes(values.length), stream));
    ok(JCudaDriver.cuStreamSynchronize(stream));
    ok(JCudaDriver.cuMemFreeHost(pinned));
  }

  Pointer pinned(int floats) {
    Pointer made = new Pointer();
    ok(JCudaDriver.cuMemHostAlloc(made, bytes(floats), 0));
    return made;
  }

  static FloatBuffer view(Pointer pinned, int floats) {
    return pinned.getByteBuffer(0, bytes(floats)).order(ByteOrder.nativeOrder()).asFloatBuffer();
  }

  static long bytes(int floats) {
    return (long) floats * Float.BYTES;
  }

  /** What device memory holds, after all work of the context. */
  float[] read(CUdeviceptr from, int floats) {
    ok(JCudaDriver.cuCtxSynchronize());
    float[] values = new float[floats];
    ok(JCudaDriver.cuMemcpyDtoH(Pointer.to(values), from, bytes(floats)));
    return values;
  }

  CUmodule module(String source) {
    CUmodule module = new CUmodule();
    ok(JCudaDriver.cuModuleLoadData(module, compile(source)));
    return module;
  }

  static byte[] compile(String source) {
    nvrtcProgram program = new nvrtcProgram();
    ok(JNvrtc.nvrtcCreateProgram(program, source, "test.cu", 0, null, null));
    int status =
        JNvrtc.nvrtcCompileProgram(
            program, 2, new String[] {"--gpu-architecture=sm_90", "--std=c++17"});
    String[] log = new String[1];
    ok(JNvrtc.nvrtcGetProgramLog(program, log));
    assertThat(status).as(log[0]).isZero();
    long[] size = new long[1];
    ok(JNvrtc.nvrtcGetCUBINSize(program, size));
    byte[] cubin = new byte[Math.toIntExact(size[0])];
    ok(JNvrtc.nvrtcGetCUBIN(program, cubin));
    ok(JNvrtc.nvrtcDestroyProgram(program));
    return cubin;
  }

  static CUfunction function(CUmodule module, String name) {
    CUfunction function = new CUfunction();
    ok(JCudaDriver.cuModuleGetFunction(function, module, name));
    return function;
  }

  /** Launches one-dimensionally; the list of parameters ends with null, as the device demands. */
  int launch(
      CUstream on, CUfunction function, int blocks, int threads, int shared, Object... args) {
    Pointer[] list = new Pointer[args.length + 1];
    for (int i = 0; i < args.length; i++) {
      list[i] = parameter(args[i]);
    }
    return JCudaDriver.cuLaunchKernel(
        function, blocks, 1, 1, threads, 1, 1, shared, on, Pointer.to(list), null);
  }

  private static Pointer parameter(Object value) {
    if (value instanceof CUdeviceptr pointer) {
      return Pointer.to(pointer);
    }
    return value instanceof Integer number
        ? Pointer.to(new int[] {number})
        : Pointer.to(new float[] {(Float) value});
  }

  /** Ends the context; what a test did not free is a leak. */
  @Override
  public void close() {
    JCudaDriver.cuStreamDestroy(stream);
    release();
  }

  static void release() {
    CUdevice device = new CUdevice();
    ok(JCudaDriver.cuDeviceGet(device, 0));
    ok(JCudaDriver.cuDevicePrimaryCtxRelease(device));
    ok(JCudaDriver.cuCtxSetCurrent(new CUcontext()));
  }
}
