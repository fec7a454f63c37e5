package convtrain.graph;

/**
 * The symmetric Beta distribution, with density proportional to {@code (x (1 - x))^(alpha - 1)}.
 */
final class Beta {
  private static final double OUTERMOST = 0x1p-14;
  private static final int BISECTIONS = 90;
  private static final double SMALLEST = 1e-300;
  private static final double TINY = 1e-30;
  private static final double ACCURACY = 1e-14;
  private static final int MOST_TERMS = 10_000;

  private Beta() {}

  /**
   * The values below which lies the share i / intervals, for i = 0 .. intervals. The first and the
   * last are those of the shares 2^-14 and 1 - 2^-14: between 0 and its neighbour a long tail would
   * be far from a straight line.
   */
  static double[] quantiles(double alpha, int intervals) {
    double[] quantiles = new double[intervals + 1];
    double logNorm = 2 * logGamma(alpha) - logGamma(2 * alpha);
    for (int i = 0; 2 * i <= intervals; i++) {
      double share = i == 0 ? OUTERMOST : i / (double) intervals;
      quantiles[i] = quantile(alpha, share, logNorm);
      quantiles[intervals - i] = 1 - quantiles[i];
    }
    return quantiles;
  }

  /** Of a share of at most a half. */
  private static double quantile(double alpha, double share, double logNorm) {
    double low = Math.log(SMALLEST);
    double high = Math.log(0.5);
    for (int step = 0; step < BISECTIONS; step++) {
      double middle = (low + high) / 2;
      if (share(alpha, Math.exp(middle), logNorm) < share) {
        low = middle;
      } else {
        high = middle;
      }
    }
    return Math.exp(high);
  }

  /**
   * How much lies below x, at most a half: the regularised incomplete beta function, by Lentz's
   * method for its continued fraction (Abramowitz and Stegun, 26.5.8).
   */
  private static double share(double alpha, double x, double logNorm) {
    double c = 1;
    double d = 1 / nonZero(1 - x * 2 * alpha / (alpha + 1));
    double fraction = d;
    for (int m = 1; m < MOST_TERMS; m++) {
      double even = m * (alpha - m) * x / ((alpha + 2 * m - 1) * (alpha + 2 * m));
      d = 1 / nonZero(1 + even * d);
      c = nonZero(1 + even / c);
      fraction *= d * c;
      double odd = -(alpha + m) * (2 * alpha + m) * x / ((alpha + 2 * m) * (alpha + 2 * m + 1));
      d = 1 / nonZero(1 + odd * d);
      c = nonZero(1 + odd / c);
      fraction *= d * c;
      if (Math.abs(d * c - 1) < ACCURACY) {
        break;
      }
    }
    return Math.exp(alpha * (Math.log(x) + Math.log1p(-x)) - logNorm) * fraction / alpha;
  }

  private static double nonZero(double value) {
    return Math.abs(value) < TINY ? TINY : value;
  }

  /** log of Gamma(x) for x above 0: Stirling's series where x is large, carried down from there. */
  private static double logGamma(double x) {
    double shift = 0;
    double at = x;
    while (at < 10) {
      shift += Math.log(at);
      at++;
    }
    double inverse = 1 / at;
    double square = inverse * inverse;
    double series =
        inverse * (1 / 12.0 - square * (1 / 360.0 - square * (1 / 1260.0 - square / 1680)));
    return (at - 0.5) * Math.log(at) - at + 0.5 * Math.log(2 * Math.PI) + series - shift;
  }
}
