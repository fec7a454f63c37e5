package convtrain.worksheet;

/**
 * A gradient without the chain rule: E is computed beside the point and the slope taken.
 *
 * <pre>
 * D(s) = (E(w + s) - E(w - s)) / (2 s)
 * dE/dw = (15 D(h) - 6 D(2 h) + D(3 h)) / 10 + O(h^6)
 * </pre>
 */
final class DifferenceQuotient {
  // Rounding, 1e-16 E / h, and truncation, h^6 times the seventh derivative, both stay below 1e-13.
  private static final double H = 4e-3;

  private final Worksheet worksheet;
  private final Parameters at;

  DifferenceQuotient(Worksheet worksheet, Parameters at) {
    this.worksheet = worksheet;
    this.at = at;
  }

  double of(int parameter) {
    return (15 * central(parameter, H) - 6 * central(parameter, 2 * H) + central(parameter, 3 * H))
        / 10;
  }

  private double central(int parameter, double s) {
    double w = at.values()[parameter];
    double above = worksheet.error(at.with(parameter, w + s));
    double below = worksheet.error(at.with(parameter, w - s));
    return (above - below) / (2 * s);
  }
}
