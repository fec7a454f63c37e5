package convtrain.backend.cuda.op;

import static jcuda.jcudnn.JCudnn.cudnnCreateTensorDescriptor;
import static jcuda.jcudnn.JCudnn.cudnnDeriveBNTensorDescriptor;
import static jcuda.jcudnn.JCudnn.cudnnDestroyTensorDescriptor;
import static jcuda.jcudnn.JCudnn.cudnnSetTensor4dDescriptor;

import convtrain.backend.Owned;
import convtrain.backend.cuda.device.Status;
import convtrain.graph.Precision;
import jcuda.jcudnn.cudnnBatchNormMode;
import jcuda.jcudnn.cudnnTensorDescriptor;
import jcuda.jcudnn.cudnnTensorFormat;

/** A tensor as cuDNN sees it: [N, H, W, C], contiguous. */
final class CudnnTensor implements AutoCloseable {
  private final cudnnTensorDescriptor handle = new cudnnTensorDescriptor();

  private CudnnTensor() {
    Status.cudnn("cudnnCreateTensorDescriptor", cudnnCreateTensorDescriptor(handle));
  }

  static CudnnTensor images(Precision precision, int n, int c, int h, int w) {
    CudnnTensor made = new CudnnTensor();
    int type = Elements.cudnnType(precision);
    int status =
        cudnnSetTensor4dDescriptor(
            made.handle, cudnnTensorFormat.CUDNN_TENSOR_NHWC, type, n, c, h, w);
    return made.checked("cudnnSetTensor4dDescriptor", status);
  }

  /** The per-channel vectors of a batch norm over {@code images}. */
  static CudnnTensor perChannel(CudnnTensor images) {
    CudnnTensor made = new CudnnTensor();
    int mode = cudnnBatchNormMode.CUDNN_BATCHNORM_SPATIAL;
    int status = cudnnDeriveBNTensorDescriptor(made.handle, images.handle, mode);
    return made.checked("cudnnDeriveBNTensorDescriptor", status);
  }

  private CudnnTensor checked(String call, int status) {
    try {
      Status.cudnn(call, status);
      return this;
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, this);
      throw e;
    }
  }

  cudnnTensorDescriptor handle() {
    return handle;
  }

  @Override
  public void close() {
    Status.cudnn("cudnnDestroyTensorDescriptor", cudnnDestroyTensorDescriptor(handle));
  }
}
