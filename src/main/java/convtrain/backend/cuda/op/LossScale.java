package convtrain.backend.cuda.op;

import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.graph.Precision;

/**
 * Dynamic loss scaling, which keeps small gradients from vanishing in fp16; kernels/loss_scale.cuh
 * gives the rules. Its state belongs to a run: all its plans share it, and step 0 begins it anew.
 */
public final class LossScale {
  /** Size of the state in device memory, zero at first. */
  public static final long BYTES = 24;

  private LossScale() {}

  /** What a kernel is given: null where the precision needs no scaling. */
  static CudaBuffer of(Precision precision, CudaBuffer state) {
    return precision == Precision.FP16 ? state : null;
  }
}
