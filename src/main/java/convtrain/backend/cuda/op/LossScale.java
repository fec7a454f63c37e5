package convtrain.backend.cuda.op;

import convtrain.backend.DeviceBuffer;
import convtrain.backend.StepClock;
import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.graph.Precision;

/**
 * Dynamic loss scaling, which keeps small gradients from vanishing in fp16; kernels/loss_scale.cuh
 * gives the rules. Its state belongs to a run and lies in the backend's part of the run's clock
 * (see {@link StepClock}); the first update begins it anew.
 */
final class LossScale {
  /** Size of the state in device memory, zero at first. */
  static final long BYTES = 24;

  private LossScale() {}

  /** What a kernel is given: null where the precision needs no scaling. */
  static CudaBuffer of(Precision precision, DeviceBuffer clock) {
    return precision == Precision.FP16
        ? CudaBuffer.of(clock.slice(StepClock.BACKEND, BYTES))
        : null;
  }
}
