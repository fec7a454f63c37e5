package convtrain.testing;

import convtrain.backend.DeviceBuffer;
import convtrain.backend.StepClock;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Sets and reads a step clock, see {@link StepClock}. */
public final class Clocks {
  private Clocks() {}

  /** Sets batches and updates, of which none is pending. */
  public static void set(DeviceBuffer clock, long step) {
    ByteBuffer bytes = ByteBuffer.allocateDirect(StepClock.BACKEND).order(ByteOrder.nativeOrder());
    clock.write(0, bytes.putLong(StepClock.BATCHES, step).putLong(StepClock.UPDATES, step));
  }

  /** Batches seen; as many as updates where gradients are not accumulated. */
  public static long batches(DeviceBuffer clock) {
    ByteBuffer bytes = ByteBuffer.allocateDirect(StepClock.BACKEND).order(ByteOrder.nativeOrder());
    clock.read(0, bytes);
    return bytes.getLong(StepClock.BATCHES);
  }

  /** The same of a clock's bytes. */
  public static long batches(byte[] clock) {
    return ByteBuffer.wrap(clock).order(ByteOrder.nativeOrder()).getLong(StepClock.BATCHES);
  }
}
