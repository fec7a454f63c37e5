package convtrain.worksheet;

import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/** Turns the derivation's plain letters into HTML with Greek letters and indices. */
final class Notation {
  private static final Pattern TOKEN =
      Pattern.compile(
          "\\bd(?=E\\b|E/|net_|a_|[wb]\\d)" // a partial derivative
              + "|(?<quantity>net|delta|a|E)_(?<neuron>[hoit]\\d+)"
              + "|(?<letter>[wbitho])(?<index>\\d+)"
              + "|(?<sigmoid>sigmoid)"
              + "|(?<error>E)(?![a-z])"
              + "|(?<rate>lr)\\b"
              + "|\\^2|'|[*<>&-]|e(?<exponent>[+-]\\d+)");

  private Notation() {}

  /** A formula as HTML. */
  static String html(String formula) {
    return TOKEN.matcher(formula).replaceAll(Notation::html);
  }

  private static String html(MatchResult match) {
    String token = match.group();
    // Groups by their order in the pattern.
    if (match.group(1) != null) {
      String quantity = match.group(1).equals("delta") ? "δ" : match.group(1);
      return "<i>" + quantity + "</i><sub>" + match.group(2) + "</sub>";
    } else if (match.group(3) != null) {
      return "<i>" + match.group(3) + "</i><sub>" + match.group(4) + "</sub>";
    } else if (match.group(8) != null) {
      return "·10<sup>" + Integer.parseInt(match.group(8)) + "</sup>";
    }
    return switch (token) {
      case "d" -> "∂";
      case "sigmoid" -> "<i>σ</i>";
      case "E" -> "<i>E</i>";
      case "lr" -> "<i>lr</i>";
      case "^2" -> "<sup>2</sup>";
      case "'" -> "′";
      case "*" -> "·";
      case "-" -> "−";
      case "<" -> "&lt;";
      case ">" -> "&gt;";
      case "&" -> "&amp;";
      default -> throw new IllegalStateException(token);
    };
  }
}
