package convtrain.train;

/** The time that an epoch's steps take: all of it, also before the epoch was taken up. */
final class EpochClock {
  private double seconds;
  private long startedNanos;

  /** Stands at so much, and still. */
  void set(double secondsSpent) {
    seconds = secondsSpent;
  }

  void start() {
    startedNanos = System.nanoTime();
  }

  void stop() {
    seconds += (System.nanoTime() - startedNanos) / 1e9;
  }

  /** As of the last stop. */
  double seconds() {
    return seconds;
  }
}
