package convtrain.backend.cuda.op;

import convtrain.backend.LossBuffers;
import convtrain.backend.Owned;
import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.graph.LossSpec;
import convtrain.graph.Precision;

/** The loss with its gradient and the step's metrics, kernels/loss.cu. */
final class LossOp extends LaunchList {
  private static final int WARP = 32;

  /**
   * @param lossScale of the run; null: the loss is not scaled
   */
  LossOp(
      CudaContext cuda,
      int batch,
      Precision precision,
      LossSpec loss,
      int classes,
      LossBuffers buffers,
      CudaBuffer lossScale) {
    super("convtrain:" + loss.type());
    double smoothing = loss instanceof LossSpec.CrossEntropy entropy ? entropy.labelSmoothing() : 0;
    try {
      then(
          cuda.kernels()
              .get("loss", loss.type(), "PRECISION=" + precision.ordinal())
              .launch(
                  Grids.blocks((long) batch * WARP),
                  Grids.THREADS,
                  buffers.z(),
                  buffers.labels(),
                  buffers.targets(),
                  smoothing,
                  buffers.dz(),
                  lossScale,
                  batch,
                  classes,
                  owned.add(cuda.allocate((long) batch * Double.BYTES)),
                  owned.add(cuda.allocate((long) batch * Integer.BYTES)),
                  buffers.metrics(),
                  buffers.clock(),
                  owned.add(cuda.allocate(Integer.BYTES))));
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, this);
      throw e;
    }
  }
}
