package convtrain.worksheet;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** The numbers that a worksheet starts from, as {@code w1 = 0.15, w2 = 0.2, ...}. */
final class StartValues {
  private static final int FEW = 8;

  /**
   * One kind of them.
   *
   * @param what {@code weights}
   */
  record Line(String what, String values) {}

  private StartValues() {}

  static List<Line> of(Worksheet worksheet, Shown shown) {
    Parameters.Sizes sizes = worksheet.sizes();
    int most = shown.everything() ? Integer.MAX_VALUE : FEW;
    double[] parameters = worksheet.first().parameters().values();
    int weights = sizes.weights();
    List<Line> lines = new ArrayList<>();
    lines.add(line("inputs", worksheet.inputs(), i -> "i" + (i + 1), most));
    lines.add(line("targets", worksheet.targets(), k -> "t" + (k + 1), most));
    lines.add(line("weights", Arrays.copyOf(parameters, weights), sizes::name, most));
    if (sizes.biases()) {
      double[] biases = Arrays.copyOfRange(parameters, weights, parameters.length);
      lines.add(line("biases", biases, b -> sizes.name(weights + b), most));
    }
    return lines;
  }

  private static Line line(String what, double[] values, IntFunction<String> name, int most) {
    String shown =
        IntStream.range(0, Math.min(most, values.length))
            .mapToObj(i -> name.apply(i) + " = " + Numbers.of(values[i]))
            .collect(Collectors.joining(", "));
    return new Line(what, shown + (most < values.length ? ", ..." : ""));
  }
}
