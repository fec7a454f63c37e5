package convtrain.bench;

import java.util.List;

/**
 * What happened when, over the measured steps: for the trace file. Times are nanoseconds of the
 * host's clock since the first step began.
 *
 * @param ops name and phase of each entry of a step
 */
record ProfileTimeline(List<Op> ops, List<Step> steps) {
  record Op(String name, String kind, String phase) {}

  /** From {@code start}, {@code nanos} long. */
  record Span(long start, long nanos) {
    static Span between(long start, long end) {
      return new Span(start, end - start);
    }
  }

  /**
   * A step replayed plainly, then one with moments marked.
   *
   * @param marks when each entry began, and the last one ended, in nanoseconds since the first
   *     began; that moment is the device's, and is put where the host started the step
   */
  record Step(Span plainFeed, Span plain, Span timedFeed, Span timed, long[] marks) {}

  ProfileTimeline {
    ops = List.copyOf(ops);
    steps = List.copyOf(steps);
  }
}
