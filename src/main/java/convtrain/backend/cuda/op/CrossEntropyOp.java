package convtrain.backend.cuda.op;

import convtrain.backend.DeviceBuffer;
import convtrain.backend.Owned;
import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.graph.Precision;

/** Softmax cross-entropy with its gradient and the step's metrics, kernels/loss.cu. */
final class CrossEntropyOp extends StepOp {
  private static final int WARP = 32;

  /**
   * @param dLogits may be null: evaluation only
   * @param lossScale of the run; null: the loss is not scaled
   */
  CrossEntropyOp(
      CudaContext cuda,
      int batch,
      Precision precision,
      int classes,
      DeviceBuffer logits,
      DeviceBuffer labels,
      DeviceBuffer dLogits,
      DeviceBuffer metrics,
      DeviceBuffer clock,
      CudaBuffer lossScale) {
    super("convtrain:cross_entropy");
    try {
      then(
          cuda.kernels()
              .get("loss", "cross_entropy", "PRECISION=" + precision.ordinal())
              .launch(
                  Grids.blocks((long) batch * WARP),
                  Grids.THREADS,
                  logits,
                  labels,
                  dLogits,
                  lossScale,
                  batch,
                  classes,
                  owned.add(cuda.allocate((long) batch * Double.BYTES)),
                  owned.add(cuda.allocate((long) batch * Integer.BYTES)),
                  metrics,
                  clock,
                  owned.add(cuda.allocate(Integer.BYTES))));
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, this);
      throw e;
    }
  }
}
