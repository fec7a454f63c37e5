package convtrain.report;

import java.util.Arrays;
import java.util.List;

/**
 * How values of several runs lie: their mean, standard deviation (of the sample, with n - 1; null
 * for a single value), minimum and maximum.
 */
public record Spread(int n, double mean, Double standardDeviation, double min, double max) {
  /** Null of no values. */
  public static Spread of(List<Double> values) {
    if (values.isEmpty()) {
      return null;
    }
    double[] x = values.stream().mapToDouble(Double::doubleValue).toArray();
    double mean = Arrays.stream(x).average().orElseThrow();
    double squares = Arrays.stream(x).map(v -> (v - mean) * (v - mean)).sum();
    return new Spread(
        x.length,
        mean,
        x.length == 1 ? null : Math.sqrt(squares / (x.length - 1)),
        Arrays.stream(x).min().orElseThrow(),
        Arrays.stream(x).max().orElseThrow());
  }
}
