package convtrain.backend;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The run's progress in device memory, in 64-bit integers that are 0 at first: batches seen at byte
 * 0, updates done at byte 8, and at byte 16 the batches whose gradients are in the sum that waits
 * for an update (0 where none are accumulated). Ops read it there, so that a captured step needs
 * nothing from the host: random numbers are drawn by batches, schedules and optimizers count
 * updates. What accumulates gradients and what updates advance it.
 *
 * <p>The bytes from {@link #BACKEND} on are the backend's own (what scales gradients in half
 * precision) and start at zero.
 */
public final class StepClock {
  public static final int BYTES = 64;
  public static final int BATCHES = 0;
  public static final int UPDATES = 8;
  public static final int PENDING = 16;
  public static final int BACKEND = 24;

  private StepClock() {}

  /** Updates done. */
  public static long read(DeviceBuffer clock) {
    ByteBuffer bytes = ByteBuffer.allocateDirect(BACKEND).order(ByteOrder.nativeOrder());
    clock.read(0, bytes);
    return bytes.getLong(UPDATES);
  }
}
