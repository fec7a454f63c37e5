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
    double[] sorted = seconds.stream().mapToDouble(Double::doubleValue).sorted().toArray();
    int n = sorted.length;
    if (n == 0) {
      throw new IllegalArgumentException("no epochs; expected at least one");
    }
    double median = (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
    // Whole numbers: 0.95 * 20 is a little more than 19.
    int notExceeded = (95 * n + 99) / 100;
    return new EpochTimes(median, sorted[0], sorted[notExceeded - 1], List.copyOf(seconds));
  }
}
