package convtrain.bench;

import java.util.Arrays;

/**
 * What stands for a series of times, which a single slow one is not to move.
 *
 * @param sorted ascending; at least one
 */
record Quantiles(double[] sorted) {
  static Quantiles of(double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    return new Quantiles(sorted);
  }

  /** Of an even number the mean of the middle two. */
  double median() {
    int n = sorted.length;
    return (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
  }

  double min() {
    return sorted[0];
  }

  double max() {
    return sorted[sorted.length - 1];
  }

  /** The least that at least 95 % do not exceed: of fewer than 20 the greatest. */
  double p95() {
    int notExceeded = (95 * sorted.length + 99) / 100;
    return sorted[notExceeded - 1];
  }
}
