package convtrain.backend.cpu.op;

import convtrain.backend.DeviceBuffer;
import convtrain.backend.StepClock;
import convtrain.backend.cpu.dnnl.CpuBuffer;
import convtrain.backend.cpu.dnnl.Workers;
import java.nio.ByteBuffer;

/** Adds a batch's gradients to the sum that waits for an update; the first begins it anew. */
final class AccumulateOp extends FlatPass {
  private final ByteBuffer clock;
  private boolean first;

  AccumulateOp(Workers workers, DeviceBuffer gradients, DeviceBuffer sum, DeviceBuffer clock) {
    super(workers, gradients, sum);
    this.clock = ((CpuBuffer) clock).asBytes();
  }

  @Override
  public void forward() {
    long pending = clock.getLong(StepClock.PENDING);
    first = pending == 0;
    pass();
    clock.putLong(StepClock.PENDING, pending + 1);
    clock.putLong(StepClock.BATCHES, clock.getLong(StepClock.BATCHES) + 1);
  }

  @Override
  void combine(float[] gradients, float[] sum, int count) {
    if (first) {
      System.arraycopy(gradients, 0, sum, 0, count);
      return;
    }
    for (int i = 0; i < count; i++) {
      sum[i] += gradients[i];
    }
  }
}
