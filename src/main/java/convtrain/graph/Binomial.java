package convtrain.graph;

/** How many of some independent events happen, decided by one random word. */
public final class Binomial {
  private Binomial() {}

  /**
   * Thresholds T[0] &gt;= T[1] &gt;= ...: a uniform word u in [0, 2^32) is below exactly k of them
   * with the probability that k of {@code n} events happen; T[i] = round(2^32 P(more than i)).
   *
   * @param q probability of one event, at most a half, so that every threshold fits 32 bits
   * @return n thresholds
   */
  public static long[] thresholds(int n, double q) {
    if (!(q >= 0 && q <= 0.5)) {
      throw new IllegalArgumentException("q=" + q + " is not in [0, 0.5]");
    }
    double[] exactly = new double[n + 1];
    exactly[0] = 1;
    for (int events = 1; events <= n; events++) {
      for (int k = events; k > 0; k--) {
        exactly[k] = exactly[k] * (1 - q) + exactly[k - 1] * q;
      }
      exactly[0] *= 1 - q;
    }
    long[] thresholds = new long[n];
    double more = 0;
    for (int i = n - 1; i >= 0; i--) {
      more += exactly[i + 1];
      thresholds[i] = Math.round(more * 0x1p32);
    }
    return thresholds;
  }
}
