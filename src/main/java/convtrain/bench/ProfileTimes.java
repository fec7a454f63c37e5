package convtrain.bench;

import java.util.Arrays;

/**
 * How long the same thing took in several steps, in milliseconds. The median stands for it: a step
 * that was interrupted does not move it.
 *
 * @param p95 what 95 of 100 steps did not exceed
 * @param standardDeviation with n - 1; 0 of a single step
 */
public record ProfileTimes(
    double median, double mean, double min, double p95, double max, double standardDeviation) {
  private static final double NANOS_PER_MILLI = 1e6;

  /** At least one. */
  static ProfileTimes of(long[] nanos) {
    double[] ms = Arrays.stream(nanos).mapToDouble(each -> each / NANOS_PER_MILLI).toArray();
    double mean = Arrays.stream(ms).average().orElseThrow();
    double squares = Arrays.stream(ms).map(each -> (each - mean) * (each - mean)).sum();
    Quantiles all = Quantiles.of(ms);
    return new ProfileTimes(
        all.median(),
        mean,
        all.min(),
        all.p95(),
        all.max(),
        ms.length == 1 ? 0 : Math.sqrt(squares / (ms.length - 1)));
  }
}
