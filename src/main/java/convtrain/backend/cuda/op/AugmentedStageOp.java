package convtrain.backend.cuda.op;

import convtrain.backend.Augmentation;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.Normalization;
import convtrain.backend.Owned;
import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.CudaFeed;
import convtrain.backend.cuda.device.Launch;
import convtrain.graph.AugmentDraw;
import convtrain.graph.AugmentSpec;
import convtrain.graph.Precision;
import convtrain.graph.Shape;

/**
 * The start of a training step on varied images, kernels/augment.cu: everything that is drawn is
 * drawn on the device, from the seed, the epoch and the samples' indices that the feed's state
 * leads to, so that a replayed step needs nothing from the host. Labels are copied; the step's
 * dropout masks are drawn.
 */
final class AugmentedStageOp extends LaunchList {
  private final CudaContext cuda;
  private final int batch;
  private final Shape image;
  private final AugmentSpec spec;

  AugmentedStageOp(
      CudaContext cuda,
      int batch,
      Precision precision,
      CudaFeed feed,
      Normalization normalization,
      Augmentation augmentation,
      DeviceBuffer x,
      DeviceBuffer labels,
      DropoutMasks masks) {
    super("convtrain:augment");
    this.cuda = cuda;
    this.batch = batch;
    image = normalization.image();
    spec = augmentation.spec();
    AugmentDraw draw = new AugmentDraw(spec, image, augmentation.seed());
    try {
      masks.drawing(owned).ifPresent(this::then);
      then(
          launch(
              precision,
              feed.state(),
              owned.add(Upload.floats(cuda, normalization.table())),
              owned.add(Upload.doubles(cuda, draw.constants())),
              augmentation.seed(),
              x,
              labels));
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, this);
      throw e;
    }
  }

  private Launch launch(
      Precision precision,
      CudaBuffer state,
      CudaBuffer table,
      CudaBuffer constants,
      long seed,
      DeviceBuffer x,
      DeviceBuffer labels) {
    AugmentSpec.ElasticTransform elastic = spec.elasticTransform();
    float erased = spec.randomErasing() == null ? 0f : spec.randomErasing().value().floatValue();
    long fieldBytes = 4L * image.height() * image.width() * Float.BYTES;
    int width = Grids.width(precision, image.elements());
    return cuda.kernels()
        .get("augment", "augment", Grids.defines(precision, width))
        .launch(
            batch,
            Grids.THREADS,
            state,
            table,
            constants,
            seed,
            erased,
            elastic == null ? null : owned.add(Upload.floats(cuda, elastic.weights())),
            elastic == null ? 0 : elastic.radius(),
            elastic == null ? 0f : AugmentDraw.noiseStep(elastic),
            elastic == null ? null : owned.add(cuda.allocate(batch * fieldBytes)),
            x,
            labels,
            image.channels(),
            image.height(),
            image.width(),
            owned.add(cuda.allocate(Integer.BYTES)));
  }
}
