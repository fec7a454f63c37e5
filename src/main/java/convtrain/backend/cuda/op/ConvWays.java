package convtrain.backend.cuda.op;

import convtrain.backend.Owned;
import convtrain.backend.cuda.device.CudaContext;
import java.util.ArrayList;
import java.util.List;

/**
 * All ways to compute a convolution here: cuDNN's algorithms, the library's choice first, cuBLAS
 * where there is but one tap, and kernels of ours where there is but one channel or each has a
 * kernel of its own.
 */
final class ConvWays implements AutoCloseable {
  private final Owned owned = new Owned();
  private final List<ConvWay> forward = new ArrayList<>();
  private final List<ConvWay> backwardFilter = new ArrayList<>();
  private final List<ConvWay> backwardData = new ArrayList<>();
  private final List<String> refusals = new ArrayList<>();

  /**
   * @param filter whether the gradient of the weights is wanted
   * @param data whether the gradient of the input is wanted
   */
  ConvWays(CudaContext cuda, ConvGeometry geometry, boolean filter, boolean data) {
    try {
      CudnnConvolution cudnn = owned.add(new CudnnConvolution(cuda, geometry));
      forward.addAll(cudnn.forward());
      if (filter) {
        backwardFilter.addAll(cudnn.backwardFilter());
      }
      if (data) {
        backwardData.addAll(cudnn.backwardData());
      }
      refusals.addAll(cudnn.refusals());
      addOthers(cuda, geometry);
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, owned);
      throw e;
    }
  }

  private void addOthers(CudaContext cuda, ConvGeometry geometry) {
    if (PixelwiseConvolution.applies(geometry)) {
      PixelwiseConvolution cublas = new PixelwiseConvolution(cuda, geometry);
      forward.add(cublas.forward());
      backwardFilter.add(cublas.backwardFilter());
      backwardData.add(cublas.backwardData());
    }
    if (OneChannelConvolution.applies(geometry)) {
      OneChannelConvolution ours = owned.add(new OneChannelConvolution(cuda, geometry));
      forward.add(ours.forward());
      backwardFilter.add(ours.backwardFilter());
    }
    if (DepthwiseConvolution.applies(geometry)) {
      DepthwiseConvolution ours = owned.add(new DepthwiseConvolution(cuda, geometry));
      forward.add(ours.forward());
      backwardFilter.add(ours.backwardFilter());
      backwardData.add(ours.backwardData());
    }
  }

  List<ConvWay> forward() {
    return forward;
  }

  List<ConvWay> backwardFilter() {
    return backwardFilter;
  }

  List<ConvWay> backwardData() {
    return backwardData;
  }

  /** What cuDNN said when it was asked for algorithms and had none to offer. */
  List<String> refusals() {
    return refusals;
  }

  @Override
  public void close() {
    owned.close();
  }
}
