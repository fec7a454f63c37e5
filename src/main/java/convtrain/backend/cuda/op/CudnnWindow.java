package convtrain.backend.cuda.op;

import static jcuda.jcudnn.JCudnn.cudnnCreateConvolutionDescriptor;
import static jcuda.jcudnn.JCudnn.cudnnDestroyConvolutionDescriptor;
import static jcuda.jcudnn.JCudnn.cudnnSetConvolution2dDescriptor;
import static jcuda.jcudnn.JCudnn.cudnnSetConvolutionGroupCount;
import static jcuda.jcudnn.JCudnn.cudnnSetConvolutionMathType;

import convtrain.backend.Owned;
import convtrain.backend.cuda.device.Status;
import jcuda.jcudnn.cudnnConvolutionDescriptor;
import jcuda.jcudnn.cudnnConvolutionMode;
import jcuda.jcudnn.cudnnDataType;

/** A convolution's padding, stride, dilation and groups, and how it may multiply. */
final class CudnnWindow implements AutoCloseable {
  private final cudnnConvolutionDescriptor handle = new cudnnConvolutionDescriptor();

  /**
   * @param mathType {@code cudnnMathType}; sums are fp32 in each
   */
  CudnnWindow(ConvGeometry g, int mathType) {
    Status.cudnn("cudnnCreateConvolutionDescriptor", cudnnCreateConvolutionDescriptor(handle));
    try {
      Status.cudnn(
          "cudnnSetConvolution2dDescriptor",
          cudnnSetConvolution2dDescriptor(
              handle,
              g.pad().h(),
              g.pad().w(),
              g.stride().h(),
              g.stride().w(),
              g.dilation().h(),
              g.dilation().w(),
              cudnnConvolutionMode.CUDNN_CROSS_CORRELATION,
              cudnnDataType.CUDNN_DATA_FLOAT));
      Status.cudnn(
          "cudnnSetConvolutionGroupCount", cudnnSetConvolutionGroupCount(handle, g.groups()));
      Status.cudnn("cudnnSetConvolutionMathType", cudnnSetConvolutionMathType(handle, mathType));
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, this);
      throw e;
    }
  }

  cudnnConvolutionDescriptor handle() {
    return handle;
  }

  @Override
  public void close() {
    Status.cudnn("cudnnDestroyConvolutionDescriptor", cudnnDestroyConvolutionDescriptor(handle));
  }
}
