package convtrain.softcuda;

import static convtrain.softcuda.DriverFixture.ok;

import convtrain.graph.Window2d;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.Deque;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.JCudaDriver;
import jcuda.jcudnn.JCudnn;
import jcuda.jcudnn.cudnnConvolutionDescriptor;
import jcuda.jcudnn.cudnnConvolutionMode;
import jcuda.jcudnn.cudnnDataType;
import jcuda.jcudnn.cudnnFilterDescriptor;
import jcuda.jcudnn.cudnnHandle;
import jcuda.jcudnn.cudnnPoolingDescriptor;
import jcuda.jcudnn.cudnnTensorDescriptor;
import jcuda.jcudnn.cudnnTensorFormat;
import jcuda.runtime.cudaStream_t;

/** A cuDNN handle on a context of its own, with descriptors and memory that end with it. */
final class CudnnFixture implements AutoCloseable {
  static final int NCHW = cudnnTensorFormat.CUDNN_TENSOR_NCHW;
  static final int NHWC = cudnnTensorFormat.CUDNN_TENSOR_NHWC;
  static final int FLOAT = cudnnDataType.CUDNN_DATA_FLOAT;

  /** Statuses of cuDNN 9, which the Java enumeration of 8 does not know. */
  static final int BAD_PARAM = 2000;

  static final int NOT_SUPPORTED = 3000;
  static final int EXECUTION_FAILED = 5000;

  static final Pointer ONE = scalar(1);
  static final Pointer ZERO = scalar(0);

  final DriverFixture cuda;
  final cudnnHandle handle = new cudnnHandle();
  private final Deque<Runnable> ends = new ArrayDeque<>();

  CudnnFixture(String... control) {
    cuda = new DriverFixture(control);
    ok(JCudnn.cudnnCreate(handle));
    ok(JCudnn.cudnnSetStream(handle, new cudaStream_t(cuda.stream)));
  }

  static Pointer scalar(float value) {
    return Pointer.to(new float[] {value});
  }

  CUdeviceptr device(float... values) {
    return freed(cuda.device(values));
  }

  /** Memory full of NaN. */
  CUdeviceptr empty(long floats) {
    return freed(cuda.device(floats));
  }

  private CUdeviceptr freed(CUdeviceptr memory) {
    ends.push(() -> JCudaDriver.cuMemFree(memory));
    return memory;
  }

  float[] read(CUdeviceptr from, int floats) {
    return cuda.read(from, floats);
  }

  cudnnTensorDescriptor tensor() {
    cudnnTensorDescriptor made = new cudnnTensorDescriptor();
    ok(JCudnn.cudnnCreateTensorDescriptor(made));
    ends.push(() -> ok(JCudnn.cudnnDestroyTensorDescriptor(made)));
    return made;
  }

  cudnnTensorDescriptor tensor(int format, int... nchw) {
    cudnnTensorDescriptor made = tensor();
    ok(JCudnn.cudnnSetTensor4dDescriptor(made, format, FLOAT, nchw[0], nchw[1], nchw[2], nchw[3]));
    return made;
  }

  cudnnFilterDescriptor filter(int format, int... kcrs) {
    cudnnFilterDescriptor made = new cudnnFilterDescriptor();
    ok(JCudnn.cudnnCreateFilterDescriptor(made));
    ends.push(() -> ok(JCudnn.cudnnDestroyFilterDescriptor(made)));
    ok(JCudnn.cudnnSetFilter4dDescriptor(made, FLOAT, format, kcrs[0], kcrs[1], kcrs[2], kcrs[3]));
    return made;
  }

  cudnnConvolutionDescriptor convolution(Window2d window, int groups, int mathType) {
    cudnnConvolutionDescriptor made = new cudnnConvolutionDescriptor();
    ok(JCudnn.cudnnCreateConvolutionDescriptor(made));
    ends.push(() -> ok(JCudnn.cudnnDestroyConvolutionDescriptor(made)));
    ok(
        JCudnn.cudnnSetConvolution2dDescriptor(
            made,
            window.padTop(),
            window.padLeft(),
            window.stride().h(),
            window.stride().w(),
            window.dilation().h(),
            window.dilation().w(),
            cudnnConvolutionMode.CUDNN_CROSS_CORRELATION,
            FLOAT));
    ok(JCudnn.cudnnSetConvolutionGroupCount(made, groups));
    ok(JCudnn.cudnnSetConvolutionMathType(made, mathType));
    return made;
  }

  cudnnPoolingDescriptor pooling(Window2d window, int mode, int nan) {
    cudnnPoolingDescriptor made = new cudnnPoolingDescriptor();
    ok(JCudnn.cudnnCreatePoolingDescriptor(made));
    ends.push(() -> ok(JCudnn.cudnnDestroyPoolingDescriptor(made)));
    ok(
        JCudnn.cudnnSetPooling2dDescriptor(
            made,
            mode,
            nan,
            window.kernel().h(),
            window.kernel().w(),
            window.padTop(),
            window.padLeft(),
            window.stride().h(),
            window.stride().w()));
    return made;
  }

  /** A device copy of 16-bit values. */
  CUdeviceptr halves(short... values) {
    return freed(halves(cuda, values));
  }

  static CUdeviceptr halves(DriverFixture cuda, short... values) {
    int floats = (values.length + 1) / 2;
    Pointer pinned = cuda.pinned(floats);
    pinned
        .getByteBuffer(0, 2L * values.length)
        .order(ByteOrder.nativeOrder())
        .asShortBuffer()
        .put(values);
    CUdeviceptr made = cuda.device((long) floats);
    ok(JCudaDriver.cuMemcpyHtoDAsync(made, pinned, 2L * values.length, cuda.stream));
    ok(JCudaDriver.cuStreamSynchronize(cuda.stream));
    ok(JCudaDriver.cuMemFreeHost(pinned));
    return made;
  }

  @Override
  public void close() {
    JCudaDriver.cuCtxSynchronize();
    ends.forEach(Runnable::run);
    JCudnn.cudnnDestroy(handle);
    cuda.close();
  }
}
