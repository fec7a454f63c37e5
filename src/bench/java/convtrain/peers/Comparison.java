package convtrain.peers;

import convtrain.peers.Timing.Way;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;

/**
 * What the rounds say together. A way's epoch is that of the run's most images: where it was given
 * fewer, its seconds are multiplied accordingly. Ratios are taken within a round, of a way's
 * seconds to ours of the same run and precision, and then their median.
 */
final class Comparison {
  /** Of several values: least, middle, greatest. */
  record Range(double min, double median, double max) {
    static Range of(List<Double> values) {
      return new Range(Collections.min(values), Comparison.median(values), Collections.max(values));
    }
  }

  /**
   * A way's rounds.
   *
   * @param epochImages samples that {@code seconds} is for
   * @param ratio to ours; null where ours is not among them
   */
  record Row(
      Way way,
      int epochImages,
      List<Double> eachSeconds,
      Range seconds,
      Range ratio,
      Range testAccuracy) {
    boolean isExtrapolated() {
      return way.images() < epochImages;
    }
  }

  private final List<Timing> timings;
  private final List<Row> rows = new ArrayList<>();

  Comparison(List<Timing> timings) {
    this.timings = List.copyOf(timings);
    Set<Way> ways = new LinkedHashSet<>();
    timings.forEach(timing -> ways.add(timing.way()));
    ways.forEach(way -> rows.add(row(way)));
  }

  /** In the order in which they ran first. */
  List<Row> rows() {
    return List.copyOf(rows);
  }

  /** Names of the run files, in their order. */
  List<String> runs() {
    return rows.stream().map(row -> row.way().run()).distinct().toList();
  }

  /** Of each engine but ours its way of the least median ratio, for one run and precision. */
  List<Row> best(String run, String precision) {
    Map<String, Row> best = new LinkedHashMap<>();
    for (Row row : rows) {
      Way way = row.way();
      if (way.run().equals(run)
          && way.precision().equals(precision)
          && row.ratio() != null
          && !way.isOurs()) {
        best.merge(way.engine(), row, (a, b) -> a.ratio().median() <= b.ratio().median() ? a : b);
      }
    }
    return List.copyOf(best.values());
  }

  /** The version that each engine told. */
  Map<String, String> versions() {
    Map<String, String> versions = new LinkedHashMap<>();
    timings.forEach(timing -> versions.putIfAbsent(timing.way().engine(), timing.version()));
    return versions;
  }

  int rounds() {
    return timings.stream().mapToInt(Timing::round).max().orElse(0);
  }

  private Row row(Way way) {
    int images = of(way.run()).mapToInt(timing -> timing.way().images()).max().orElseThrow();
    double scale = images / (double) way.images();
    List<Double> seconds = collect(way, timing -> timing.seconds() * scale);
    List<Double> ratios = new ArrayList<>();
    of(way.run())
        .filter(theirs -> theirs.way().equals(way))
        .forEach(
            theirs ->
                of(way.run())
                    .filter(ours -> ours.way().isOurs() && ours.round() == theirs.round())
                    .filter(ours -> ours.way().precision().equals(way.precision()))
                    .forEach(ours -> ratios.add(theirs.seconds() * scale / ours.seconds())));
    return new Row(
        way,
        images,
        seconds,
        Range.of(seconds),
        ratios.isEmpty() ? null : Range.of(ratios),
        Range.of(collect(way, Timing::testAccuracy)));
  }

  private Stream<Timing> of(String run) {
    return timings.stream().filter(timing -> timing.way().run().equals(run));
  }

  private List<Double> collect(Way way, ToDoubleFunction<Timing> value) {
    return timings.stream()
        .filter(timing -> timing.way().equals(way))
        .map(value::applyAsDouble)
        .toList();
  }

  /** The middle value, or the mean of the two in the middle. */
  static double median(List<Double> values) {
    List<Double> sorted = values.stream().sorted().toList();
    int middle = sorted.size() / 2;
    return sorted.size() % 2 == 1
        ? sorted.get(middle)
        : (sorted.get(middle - 1) + sorted.get(middle)) / 2;
  }
}
