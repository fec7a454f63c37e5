package convtrain.bench;

import java.util.List;

/**
 * How long epochs took, in seconds.
 *
 * @param median of an even number the mean of the middle two
 * @param min the least
 * @param p95 the least that at least 95 % of them do not exceed: of fewer than 20 the greatest
 * @param each in the order they ran
 */
public record EpochTimes(double median, double min, double p95, List<Double> each) {
  static EpochTimes of(List<Double> seconds) {
    if (seconds.isEmpty()) {
      throw new IllegalArgumentException("no epochs; expected at least one");
    }
    Quantiles all = Quantiles.of(seconds.stream().mapToDouble(Double::doubleValue).toArray());
    return new EpochTimes(all.median(), all.min(), all.p95(), List.copyOf(seconds));
  }
}
