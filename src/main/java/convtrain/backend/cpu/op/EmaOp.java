package convtrain.backend.cpu.op;

import convtrain.backend.DeviceBuffer;
import convtrain.backend.StepClock;
import convtrain.backend.cpu.dnnl.CpuBuffer;
import convtrain.backend.cpu.dnnl.Workers;
import convtrain.graph.EmaSpec;
import java.nio.ByteBuffer;

/** The moving average of the flat buffer after an update; {@link EmaSpec} gives the formula. */
final class EmaOp extends FlatPass {
  private final EmaSpec ema;
  private final ByteBuffer clock;
  private float take;

  EmaOp(
      Workers workers,
      EmaSpec ema,
      DeviceBuffer values,
      DeviceBuffer averages,
      DeviceBuffer clock) {
    super(workers, values, averages);
    this.ema = ema;
    this.clock = ((CpuBuffer) clock).asBytes();
  }

  @Override
  public void forward() {
    long updates = clock.getLong(StepClock.UPDATES);
    if (updates % ema.every() == 0) {
      take = (float) (1 - ema.decayAt(updates / ema.every()));
      pass();
    }
  }

  @Override
  void combine(float[] values, float[] averages, int count) {
    for (int i = 0; i < count; i++) {
      averages[i] += take * (values[i] - averages[i]);
    }
  }
}
