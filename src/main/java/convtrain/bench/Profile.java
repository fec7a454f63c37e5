package convtrain.bench;

import convtrain.report.Provenance;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Where the time of a step goes.
 *
 * @param run the run file's name
 * @param device in words
 * @param evaluation whether the step scores, or trains
 * @param batchSize samples of a step
 * @param precision its word in the run file
 * @param steps measured
 * @param warmup steps before them
 * @param plainMs a whole step as training replays it, from its start until the host knows it done
 * @param timedMs the same with a moment marked between its ops
 * @param feedMs what brings a batch, on the host, before a step
 * @param ops in the order of the step
 * @param phases their sums, in that order
 * @param provenance what it was measured with; null where that is not kept
 */
public record Profile(
    String run,
    String device,
    boolean evaluation,
    int batchSize,
    String precision,
    int steps,
    int warmup,
    ProfileTimes plainMs,
    ProfileTimes timedMs,
    ProfileTimes feedMs,
    List<ProfileOp> ops,
    List<Total> phases,
    Provenance provenance) {
  /**
   * The ops of a phase together.
   *
   * @param ms sum of their medians
   */
  public record Total(
      String phase,
      double ms,
      double share,
      long flops,
      long bytes,
      Double gflopPerS,
      Double gbPerS) {
    static Total of(String phase, List<ProfileOp> ops) {
      double ms = ops.stream().mapToDouble(ProfileOp::ms).sum();
      long flops = ops.stream().mapToLong(ProfileOp::flops).sum();
      long bytes = ops.stream().mapToLong(ProfileOp::bytes).sum();
      double share = ops.stream().mapToDouble(ProfileOp::share).sum();
      return new Total(phase, ms, share, flops, bytes, perSecond(flops, ms), perSecond(bytes, ms));
    }
  }

  /** 1e9 of something in a second, from how many in how many milliseconds; null of none. */
  static Double perSecond(long count, double ms) {
    return count == 0 ? null : count / (ms * 1e6);
  }

  static List<Total> phasesOf(List<ProfileOp> ops) {
    Map<String, List<ProfileOp>> byPhase = new LinkedHashMap<>();
    ops.forEach(op -> byPhase.computeIfAbsent(op.phase(), key -> new ArrayList<>()).add(op));
    return byPhase.entrySet().stream()
        .map(each -> Total.of(each.getKey(), each.getValue()))
        .toList();
  }

  /** The same, with what it was measured with. */
  public Profile with(Provenance measuredWith) {
    return new Profile(
        run,
        device,
        evaluation,
        batchSize,
        precision,
        steps,
        warmup,
        plainMs,
        timedMs,
        feedMs,
        ops,
        phases,
        measuredWith);
  }

  /** All ops together. */
  public Total total() {
    return Total.of("all", ops);
  }

  /** What marking moments adds to a step, by the medians. */
  public double overheadMs() {
    return timedMs.median() - plainMs.median();
  }
}
