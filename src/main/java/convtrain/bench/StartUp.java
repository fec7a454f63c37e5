package convtrain.bench;

import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/** Where the time of a process goes from its start until it trains: one stage after the other. */
public final class StartUp {
  /** A part of the start, in seconds. */
  public record Stage(String name, double seconds) {}

  private final LongSupplier nanoTime;
  private final long startNanos;
  private final List<Stage> stages = new ArrayList<>();
  private long lastNanos;

  /**
   * @param nanoTime the clock, {@link System#nanoTime}
   * @param startNanos when the process was started, by that clock
   */
  StartUp(LongSupplier nanoTime, long startNanos) {
    this.nanoTime = nanoTime;
    this.startNanos = startNanos;
    lastNanos = startNanos;
  }

  /**
   * Of this process.
   *
   * @param startedMicros when it was started, in microseconds since 1970: what {@link #micros} gave
   *     to the process that started it
   */
  public static StartUp ofProcess(long startedMicros) {
    long age = TimeUnit.MICROSECONDS.toNanos(micros() - startedMicros);
    return new StartUp(System::nanoTime, System.nanoTime() - age);
  }

  /** The time of day, by which processes can tell each other when something was. */
  public static long micros() {
    Instant now = Instant.now();
    return TimeUnit.SECONDS.toMicros(now.getEpochSecond())
        + TimeUnit.NANOSECONDS.toMicros(now.getNano());
  }

  /** Ends a stage now. */
  public void done(String stage) {
    done(stage, nanoTime.getAsLong());
  }

  /** Ends a stage at an earlier time of the clock. */
  public void done(String stage, long nanos) {
    stages.add(new Stage(stage, (nanos - lastNanos) / 1e9));
    lastNanos = nanos;
  }

  /** In order; each began when the one before ended. */
  public List<Stage> stages() {
    return List.copyOf(stages);
  }

  /** Age of the process. */
  double seconds() {
    return (nanoTime.getAsLong() - startNanos) / 1e9;
  }
}
