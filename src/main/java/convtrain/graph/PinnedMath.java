package convtrain.graph;

/**
 * Sines and powers of e by polynomials, in doubles, every product and sum rounded on its own and in
 * the order in which it stands here: so that a device that does the same gets the same bits, which
 * no two math libraries promise. They are good to 1e-14 where parameters are drawn from.
 */
final class PinnedMath {
  /** Taylor's coefficients, highest power first. */
  private static final double[] SINE = {
    -1 / 1307674368000.0,
    1 / 6227020800.0,
    -1 / 39916800.0,
    1 / 362880.0,
    -1 / 5040.0,
    1 / 120.0,
    -1 / 6.0,
    1
  };

  private static final double[] COSINE = {
    1 / 20922789888000.0,
    -1 / 87178291200.0,
    1 / 479001600.0,
    -1 / 3628800.0,
    1 / 40320.0,
    -1 / 720.0,
    1 / 24.0,
    -1 / 2.0,
    1
  };

  private static final double[] EXPONENTIAL = {
    1 / 479001600.0,
    1 / 39916800.0,
    1 / 3628800.0,
    1 / 362880.0,
    1 / 40320.0,
    1 / 5040.0,
    1 / 720.0,
    1 / 120.0,
    1 / 24.0,
    1 / 6.0,
    1 / 2.0,
    1,
    1
  };

  private static final double RADIANS = Math.PI / 180;
  private static final double LN2 = 0.6931471805599453;

  private PinnedMath() {}

  /** The sine of an angle in degrees. */
  static double sine(double degrees) {
    double quarters = Math.rint(degrees * (1 / 90.0));
    double x = (degrees - 90 * quarters) * RADIANS;
    int quadrant = (int) quarters & 3;
    double z = x * x;
    double value = (quadrant & 1) == 0 ? x * polynomial(SINE, z) : polynomial(COSINE, z);
    return quadrant < 2 ? value : -value;
  }

  static double cosine(double degrees) {
    return sine(degrees + 90);
  }

  static double exponential(double x) {
    double power = Math.rint(x * (1 / LN2));
    double rest = x - power * LN2;
    double two = Double.longBitsToDouble((long) power + 1023 << 52);
    return polynomial(EXPONENTIAL, rest) * two;
  }

  private static double polynomial(double[] coefficients, double x) {
    double value = coefficients[0];
    for (int i = 1; i < coefficients.length; i++) {
      value = value * x + coefficients[i];
    }
    return value;
  }
}
