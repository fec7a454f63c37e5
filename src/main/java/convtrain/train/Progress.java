package convtrain.train;

import convtrain.backend.Readback;
import convtrain.backend.StepMetrics;
import java.nio.ByteBuffer;
import java.util.function.LongSupplier;

/**
 * Tells how an epoch goes, ten times a second. A GPU copies the numbers beside the steps that
 * follow, so they are told some steps later, with the step that they are of.
 */
final class Progress implements AutoCloseable {
  private static final long INTERVAL_NANOS = 100_000_000;

  /** Who is told. */
  interface Listener {
    /**
     * @param step of the epoch, from 1, after which the metrics were these
     */
    void step(int epoch, int step, StepMetrics metrics);
  }

  private final Readback readback;
  private final Listener listener;
  private final LongSupplier nanoTime;
  private int epoch;
  private long toldNanos;
  private boolean underWay;

  /** Of the copy under way; 0 if that is from before the epoch was begun. */
  private int askedStep;

  /**
   * @param readback of the metrics; closed with this
   * @param nanoTime the clock, {@link System#nanoTime}
   */
  Progress(Readback readback, Listener listener, LongSupplier nanoTime) {
    this.readback = readback;
    this.listener = listener;
    this.nanoTime = nanoTime;
  }

  /** Begins an epoch, or goes on with it. */
  void begin(int epoch) {
    this.epoch = epoch;
    askedStep = 0;
    toldNanos = nanoTime.getAsLong();
  }

  /** After a step was enqueued. */
  void stepDone(int step) {
    long now = nanoTime.getAsLong();
    if (now - toldNanos < INTERVAL_NANOS) {
      return;
    }
    toldNanos = now;
    tell();
    if (!underWay) {
      readback.request();
      underWay = true;
      askedStep = step;
    }
    // On a CPU the copy is there at once.
    tell();
  }

  private void tell() {
    ByteBuffer bytes = readback.poll();
    if (bytes == null) {
      return;
    }
    underWay = false;
    if (askedStep > 0) {
      listener.step(epoch, askedStep, StepMetrics.of(bytes));
    }
  }

  @Override
  public void close() {
    readback.close();
  }
}
