package convtrain.backend;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The run's step counter in device memory: a 64-bit integer at byte 0, 0 at the first step,
 * advanced by the update. Ops read it there, so that a captured step needs nothing from the host.
 * The bytes behind it are the backend's own (what scales gradients in half precision) and start at
 * zero.
 */
public final class StepClock {
  public static final int BYTES = 64;
  private static final int COUNTER_BYTES = 8;

  private StepClock() {}

  public static long read(DeviceBuffer clock) {
    ByteBuffer bytes = ByteBuffer.allocateDirect(COUNTER_BYTES).order(ByteOrder.nativeOrder());
    clock.read(0, bytes);
    return bytes.getLong(0);
  }

  public static void write(DeviceBuffer clock, long step) {
    ByteBuffer bytes = ByteBuffer.allocateDirect(COUNTER_BYTES).order(ByteOrder.nativeOrder());
    clock.write(0, bytes.putLong(0, step));
  }
}
