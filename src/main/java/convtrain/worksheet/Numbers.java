package convtrain.worksheet;

import java.math.BigDecimal;
import java.math.MathContext;
import java.util.Locale;

/** Numbers as the sheet prints them, with a point whatever the machine's language. */
final class Numbers {
  private static final MathContext NINE = new MathContext(9);

  private static final double LARGE = 1e6;

  private Numbers() {}

  /** Nine digits at most, without trailing zeros: {@code 0.15}, {@code 0.506874567}. */
  static String of(double value) {
    if (value == 0 || !Double.isFinite(value)) {
      return value == 0 ? "0" : Double.toString(value);
    }
    double size = Math.abs(value);
    BigDecimal rounded = new BigDecimal(value).round(NINE).stripTrailingZeros();
    return size >= 1e-4 && size < 1e9
        ? rounded.toPlainString()
        : String.format(Locale.ROOT, "%.8e", value).replaceFirst("\\.?0*e", "e");
  }

  /** For a product or difference: negative ones in brackets. */
  static String factor(double value) {
    return value < 0 ? "(" + of(value) + ")" : of(value);
  }

  /** A cell of a column: six decimals, or six digits of what is large. */
  static String cell(double value) {
    return String.format(Locale.ROOT, Math.abs(value) < LARGE ? "%.6f" : "%.5e", value);
  }

  /** An error of the rates' table: seven decimals, or six digits where they would not do. */
  static String error(double value) {
    return value == 0
        ? "0"
        : String.format(Locale.ROOT, value >= 1e-3 && value < LARGE ? "%.7f" : "%.5e", value);
  }

  /** A slope beside another: fifteen decimals, or as many digits where they would show little. */
  static String slope(double value) {
    double size = Math.abs(value);
    return value == 0
        ? "0"
        : String.format(Locale.ROOT, size >= 1e-9 && size < LARGE ? "%.15f" : "%.14e", value);
  }
}
