package convtrain.backend.cuda.op;

import static jcuda.jcudnn.JCudnn.cudnnCreateFilterDescriptor;
import static jcuda.jcudnn.JCudnn.cudnnDestroyFilterDescriptor;
import static jcuda.jcudnn.JCudnn.cudnnSetFilter4dDescriptor;

import convtrain.backend.Owned;
import convtrain.backend.cuda.device.Status;
import convtrain.graph.Precision;
import jcuda.jcudnn.cudnnFilterDescriptor;
import jcuda.jcudnn.cudnnTensorFormat;

/** A convolution's weights as cuDNN sees them: [K, R, S, C/groups]. */
final class CudnnFilter implements AutoCloseable {
  private final cudnnFilterDescriptor handle = new cudnnFilterDescriptor();

  /**
   * @param c input channels of one group
   */
  CudnnFilter(Precision precision, int k, int c, int r, int s) {
    Status.cudnn("cudnnCreateFilterDescriptor", cudnnCreateFilterDescriptor(handle));
    int type = Elements.cudnnType(precision);
    int format = cudnnTensorFormat.CUDNN_TENSOR_NHWC;
    try {
      Status.cudnn(
          "cudnnSetFilter4dDescriptor",
          cudnnSetFilter4dDescriptor(handle, type, format, k, c, r, s));
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, this);
      throw e;
    }
  }

  cudnnFilterDescriptor handle() {
    return handle;
  }

  @Override
  public void close() {
    Status.cudnn("cudnnDestroyFilterDescriptor", cudnnDestroyFilterDescriptor(handle));
  }
}
