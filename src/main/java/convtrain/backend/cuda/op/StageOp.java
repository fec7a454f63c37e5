package convtrain.backend.cuda.op;

import convtrain.backend.DeviceBuffer;
import convtrain.backend.Normalization;
import convtrain.backend.Owned;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.CudaFeed;
import convtrain.graph.Precision;
import convtrain.graph.Shape;

/**
 * The start of a step, kernels/stage.cu: the feed's bytes [N, C, H, W] become normalised
 * activations [N, H, W, C] through a table of 256 floats per channel; labels are copied; the step's
 * dropout masks are drawn.
 */
final class StageOp extends LaunchList {
  StageOp(
      CudaContext cuda,
      int batch,
      Precision precision,
      CudaFeed feed,
      Normalization normalization,
      DeviceBuffer x,
      DeviceBuffer labels,
      DropoutMasks masks) {
    super("convtrain:stage");
    Shape image = normalization.image();
    int width = Grids.width(precision, image.elements());
    long elements = Math.multiplyExact((long) batch, (long) image.elements());
    Grids.Packs packs = new Grids.Packs(cuda, precision, elements, width);
    try {
      masks.drawing(owned).ifPresent(this::then);
      then(
          packs.launch(
              "stage",
              "stage",
              feed.state(),
              owned.add(Upload.floats(cuda, normalization.table())),
              x,
              labels,
              batch,
              image.channels(),
              image.height(),
              image.width(),
              owned.add(cuda.allocate(Integer.BYTES))));
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, this);
      throw e;
    }
  }
}
