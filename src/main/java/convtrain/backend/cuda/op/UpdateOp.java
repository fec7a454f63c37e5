package convtrain.backend.cuda.op;

import convtrain.backend.Owned;
import convtrain.backend.UpdateBuffers;
import convtrain.backend.UpdateRule;
import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.Launch;
import convtrain.graph.OptimizerSpec;
import convtrain.graph.Precision;

/**
 * One optimizer step over the flat buffers, kernels/update.cu, before it the gradients' norm if
 * that is bounded, kernels/grad_norm.cu. The clock advances at the end.
 */
final class UpdateOp extends LaunchList {
  private static final String FILE = "update";

  private final Grids.Packs packs;
  private final long decayed;
  private final CudaBuffer tickets;
  private final CudaBuffer clip;

  /**
   * @param lossScale of the run; null: gradients are not scaled
   */
  UpdateOp(CudaContext cuda, UpdateRule rule, UpdateBuffers buffers, CudaBuffer lossScale) {
    super("convtrain:update");
    // Parameters, gradients and state are fp32 whatever activations are held in.
    packs = Grids.Packs.of(cuda, Precision.FP32, buffers.parameters().bytes() / Float.BYTES);
    decayed = rule.decayed();
    try {
      tickets = owned.add(cuda.allocate(Integer.BYTES));
      clip = rule.clipGradNorm() == null ? null : owned.add(cuda.allocate(Float.BYTES));
      if (lossScale != null) {
        then(packs.launch(FILE, "find_overflow", buffers.gradients(), packs.count(), lossScale));
      }
      if (clip != null) {
        then(norm(cuda, rule.clipGradNorm(), buffers, lossScale));
      }
      if (rule.optimizer() instanceof OptimizerSpec.Sgd sgd) {
        then(sgd(sgd, buffers, lossScale));
      } else if (rule.optimizer() instanceof OptimizerSpec.Adam adam) {
        double beta2 = adam.betas().get(1);
        float eps = adam.eps().floatValue();
        Adam constants = new Adam(beta2, eps, adam.weightDecay(), false);
        then(adam(constants, buffers, lossScale));
      } else if (rule.optimizer() instanceof OptimizerSpec.AdamW adamW) {
        double beta2 = adamW.betas().get(1);
        float eps = adamW.eps().floatValue();
        Adam constants = new Adam(beta2, eps, adamW.weightDecay(), true);
        then(adam(constants, buffers, lossScale));
      }
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, this);
      throw e;
    }
  }

  /** Writes the factor that the update reads. */
  private Launch norm(
      CudaContext cuda, double maxNorm, UpdateBuffers buffers, CudaBuffer lossScale) {
    return packs.launch(
        "grad_norm",
        "grad_norm",
        buffers.gradients(),
        packs.count(),
        buffers.clock(),
        lossScale,
        maxNorm,
        owned.add(cuda.allocate(Grids.blocks(packs.count()) * Double.BYTES)),
        clip,
        owned.add(cuda.allocate(Integer.BYTES)));
  }

  private Launch sgd(OptimizerSpec.Sgd sgd, UpdateBuffers buffers, CudaBuffer lossScale) {
    return packs.launch(
        FILE,
        "update_sgd",
        buffers.parameters(),
        buffers.gradients(),
        sgd.stateSlots() == 0 ? null : buffers.state(),
        packs.count(),
        decayed,
        buffers.schedule(),
        buffers.clock(),
        lossScale,
        clip,
        sgd.weightDecay().floatValue(),
        (float) (1 - sgd.dampening()),
        sgd.nesterov() ? 1 : 0,
        tickets);
  }

  /** What Adam and AdamW are given beside the schedule. */
  private record Adam(double beta2, float eps, double weightDecay, boolean decoupled) {}

  private Launch adam(Adam adam, UpdateBuffers buffers, CudaBuffer lossScale) {
    long slotBytes = buffers.parameters().bytes();
    return packs.launch(
        FILE,
        "update_adam",
        buffers.parameters(),
        buffers.gradients(),
        buffers.state().slice(0, slotBytes),
        buffers.state().slice(slotBytes, slotBytes),
        packs.count(),
        decayed,
        buffers.schedule(),
        buffers.clock(),
        lossScale,
        clip,
        adam.beta2,
        adam.eps,
        adam.weightDecay,
        adam.decoupled ? 1 : 0,
        tickets);
  }
}
