package convtrain.backend.cuda.op;

import convtrain.backend.MixBuffers;
import convtrain.backend.Owned;
import convtrain.backend.RandomState;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.graph.MixDraw;
import convtrain.graph.MixSpec;
import convtrain.graph.Precision;
import convtrain.graph.Shape;

/** Mixes each sample of a staged batch with the one before it, kernels/mix.cu. */
final class MixOp extends LaunchList {
  MixOp(
      CudaContext cuda,
      int batch,
      Precision precision,
      MixSpec spec,
      Shape image,
      int classes,
      RandomState random,
      MixBuffers buffers) {
    super("convtrain:mix");
    int width = Grids.width(precision, image.elements());
    long packs = Math.multiplyExact((long) batch, (long) image.elements() / width);
    try {
      then(
          cuda.kernels()
              .get("mix", "mix", Grids.defines(precision, width))
              .launch(
                  Grids.blocks(Math.max(packs, (long) batch * classes)),
                  Grids.THREADS,
                  buffers.staged(),
                  buffers.labels(),
                  buffers.x(),
                  buffers.targets(),
                  random.clock(),
                  random.seed(),
                  owned.add(Upload.floats(cuda, MixDraw.quantiles(spec))),
                  spec instanceof MixSpec.Cutmix ? 1 : 0,
                  batch,
                  classes,
                  image.channels(),
                  image.height(),
                  image.width()));
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, this);
      throw e;
    }
  }
}
