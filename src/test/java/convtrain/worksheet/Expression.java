package convtrain.worksheet;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Computes the formulas that the worksheet prints and those that its spreadsheet holds. */
final class Expression {
  /** What names stand for. */
  interface Scope {
    double variable(String name);

    /** The cells of {@code B2:D2}. */
    default double[] range(String cells) {
      throw new IllegalArgumentException(cells);
    }

    /** Each argument is a number or the numbers of a range. */
    double function(String name, List<double[]> arguments);
  }

  private static final String CELL = "(?:(?:'[^']+'|\\w+)!)?\\$?[A-Z]+\\$?\\d+";
  private static final Pattern TOKEN =
      Pattern.compile(
          "\\s*(?:"
              + "(?<range>"
              + CELL
              + ":\\$?[A-Z]+\\$?\\d+)"
              + "|(?<name>d(?:E|net_[ho]\\d+|a_[ho]\\d+)/d(?:net_[ho]\\d+|a_[ho]\\d+|[wb]\\d+)"
              + "|"
              + CELL
              + "|[A-Za-z_]+\\d*'?)"
              + "|(?<number>\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?)"
              + "|(?<sign>[-+*/^(),]))\\s*");

  private final Scope scope;
  private final List<String> kinds = new ArrayList<>();
  private final List<String> tokens = new ArrayList<>();
  private int at;

  private Expression(String text, Scope scope) {
    this.scope = scope;
    Matcher matcher = TOKEN.matcher(text);
    int end = 0;
    while (end < text.length()) {
      if (!matcher.find(end) || matcher.start() != end) {
        throw new IllegalArgumentException(text + ": at " + end);
      }
      for (String kind : List.of("range", "name", "number", "sign")) {
        if (matcher.group(kind) != null) {
          kinds.add(kind);
          tokens.add(matcher.group(kind));
        }
      }
      end = matcher.end();
    }
    kinds.add("end");
    tokens.add("");
  }

  static double value(String text, Scope scope) {
    Expression expression = new Expression(text, scope);
    double value = expression.sum();
    if (!expression.kinds.get(expression.at).equals("end")) {
      throw new IllegalArgumentException(text + ": too long");
    }
    return value;
  }

  private double sum() {
    double value = product();
    while (is("+") || is("-")) {
      boolean plus = tokens.get(at++).equals("+");
      double next = product();
      value = plus ? value + next : value - next;
    }
    return value;
  }

  private double product() {
    double value = signed();
    while (is("*") || is("/")) {
      boolean times = tokens.get(at++).equals("*");
      double next = signed();
      value = times ? value * next : value / next;
    }
    return value;
  }

  private double signed() {
    if (is("-")) {
      at++;
      return -signed();
    }
    double base = single();
    if (is("^")) {
      at++;
      return Math.pow(base, single());
    }
    return base;
  }

  private double single() {
    String kind = kinds.get(at);
    String token = tokens.get(at++);
    if (kind.equals("number")) {
      return Double.parseDouble(token);
    } else if (token.equals("(")) {
      double value = sum();
      expect(")");
      return value;
    } else if (!kind.equals("name")) {
      throw new IllegalArgumentException(tokens + ": " + token);
    } else if (!is("(")) {
      return scope.variable(token);
    }
    List<double[]> arguments = new ArrayList<>();
    do {
      at++;
      boolean range = kinds.get(at).equals("range");
      arguments.add(range ? scope.range(tokens.get(at++)) : new double[] {sum()});
    } while (is(","));
    expect(")");
    return scope.function(token, arguments);
  }

  private boolean is(String sign) {
    return kinds.get(at).equals("sign") && tokens.get(at).equals(sign);
  }

  private void expect(String sign) {
    if (!is(sign)) {
      throw new IllegalArgumentException(tokens + ": expected " + sign + " at " + at);
    }
    at++;
  }
}
