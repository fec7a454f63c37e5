package convtrain.backend.cuda.op;

import static jcuda.jcudnn.JCudnn.cudnnCreatePoolingDescriptor;
import static jcuda.jcudnn.JCudnn.cudnnDestroyPoolingDescriptor;
import static jcuda.jcudnn.JCudnn.cudnnGetPooling2dForwardOutputDim;
import static jcuda.jcudnn.JCudnn.cudnnSetPooling2dDescriptor;

import convtrain.backend.Owned;
import convtrain.backend.cuda.device.Status;
import convtrain.graph.Pair;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import convtrain.graph.Window2d;
import jcuda.jcudnn.cudnnNanPropagation;
import jcuda.jcudnn.cudnnPoolingDescriptor;
import jcuda.jcudnn.cudnnPoolingMode;

/** A pooling's window, and what is taken of it: as in PyTorch, a NaN is above all numbers. */
final class CudnnPoolWindow implements AutoCloseable {
  private final cudnnPoolingDescriptor handle = new cudnnPoolingDescriptor();

  CudnnPoolWindow(PoolOp.Kind kind, Window2d window) {
    Status.cudnn("cudnnCreatePoolingDescriptor", cudnnCreatePoolingDescriptor(handle));
    try {
      Status.cudnn(
          "cudnnSetPooling2dDescriptor",
          cudnnSetPooling2dDescriptor(
              handle,
              mode(kind),
              cudnnNanPropagation.CUDNN_PROPAGATE_NAN,
              window.kernel().h(),
              window.kernel().w(),
              window.padTop(),
              window.padLeft(),
              window.stride().h(),
              window.stride().w()));
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, this);
      throw e;
    }
  }

  private static int mode(PoolOp.Kind kind) {
    return switch (kind) {
      case MAX -> cudnnPoolingMode.CUDNN_POOLING_MAX;
      case MEAN_OF_PIXELS -> cudnnPoolingMode.CUDNN_POOLING_AVERAGE_COUNT_EXCLUDE_PADDING;
      case MEAN_WITH_PADDING -> cudnnPoolingMode.CUDNN_POOLING_AVERAGE_COUNT_INCLUDE_PADDING;
    };
  }

  /**
   * Whether cuDNN lays as many windows over an image as we do. It rounds down, so that it lacks
   * those that {@code ceil_mode} lets hang over; all others are padded evenly, as it demands.
   */
  static boolean fits(PoolOp.Kind kind, Window2d window, Shape in) {
    try (CudnnTensor x =
            CudnnTensor.images(Precision.FP32, 1, in.channels(), in.height(), in.width());
        CudnnPoolWindow cudnn = new CudnnPoolWindow(kind, window)) {
      return cudnn.windowsOver(x).equals(window.out());
    }
  }

  /** Number of windows, vertically and horizontally. */
  private Pair windowsOver(CudnnTensor x) {
    int[] n = new int[1];
    int[] c = new int[1];
    int[] h = new int[1];
    int[] w = new int[1];
    Status.cudnn(
        "cudnnGetPooling2dForwardOutputDim",
        cudnnGetPooling2dForwardOutputDim(handle, x.handle(), n, c, h, w));
    return new Pair(h[0], w[0]);
  }

  cudnnPoolingDescriptor handle() {
    return handle;
  }

  @Override
  public void close() {
    Status.cudnn("cudnnDestroyPoolingDescriptor", cudnnDestroyPoolingDescriptor(handle));
  }
}
