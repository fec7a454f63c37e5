package convtrain.backend;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Sums that the loss op keeps in device memory since they were last cleared.
 *
 * @param lossSum sum over samples of each one's loss; a double at byte 0
 * @param correct samples whose largest output is their label (the first of equals counts); a long
 *     at byte 8
 * @param samples samples seen; a long at byte 16
 * @param firstBadStep the batch of the run, from 0, whose loss was first NaN or infinite, or -1; a
 *     long at byte 24
 */
public record StepMetrics(double lossSum, long correct, long samples, long firstBadStep) {
  public static final int BYTES = 32;
  public static final int LOSS_SUM = 0;
  public static final int CORRECT = 8;
  public static final int SAMPLES = 16;
  public static final int FIRST_BAD_STEP = 24;

  public static StepMetrics read(DeviceBuffer metrics) {
    return read(metrics, ByteBuffer.allocateDirect(BYTES).order(ByteOrder.nativeOrder()));
  }

  /**
   * The same through a buffer of the caller's, for reading often.
   *
   * @param bytes direct, of {@link #BYTES}, in native order
   */
  public static StepMetrics read(DeviceBuffer metrics, ByteBuffer bytes) {
    metrics.read(0, bytes.clear());
    return of(bytes);
  }

  /** From a copy of the buffer, in native order. */
  public static StepMetrics of(ByteBuffer bytes) {
    return new StepMetrics(
        bytes.getDouble(LOSS_SUM),
        bytes.getLong(CORRECT),
        bytes.getLong(SAMPLES),
        bytes.getLong(FIRST_BAD_STEP));
  }

  public static void clear(DeviceBuffer metrics) {
    new StepMetrics(0, 0, 0, -1).write(metrics);
  }

  /** Makes the sums in device memory these. */
  public void write(DeviceBuffer metrics) {
    ByteBuffer bytes = ByteBuffer.allocateDirect(BYTES).order(ByteOrder.nativeOrder());
    bytes.putDouble(LOSS_SUM, lossSum).putLong(CORRECT, correct).putLong(SAMPLES, samples);
    metrics.write(0, bytes.putLong(FIRST_BAD_STEP, firstBadStep));
  }

  /** Mean loss per sample. */
  public double loss() {
    return lossSum / samples;
  }

  /** Share of samples classified correctly, 0 to 1. */
  public double accuracy() {
    return (double) correct / samples;
  }
}
