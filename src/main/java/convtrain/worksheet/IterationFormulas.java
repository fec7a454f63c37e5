package convtrain.worksheet;

import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * The spreadsheet's formulas of one iteration: a row that reads the row above, and the first row
 * the sheet of the network.
 */
final class IterationFormulas {
  /** Characters that spreadsheet programs take in one formula. */
  static final int LONGEST = 8192;

  /** More terms than this are a SUMPRODUCT over two ranges. */
  private static final int WRITTEN_OUT = 8;

  /** The first of the rows, counted from 0: under the heading. */
  private static final int FIRST = 1;

  /**
   * Absolute cells of what does not change from row to row.
   *
   * @param rate learning rate
   * @param inputs beside each other
   * @param start first value of each parameter
   */
  record Source(String rate, List<String> inputs, List<String> targets, List<String> start) {}

  /** Takes a formula. */
  interface Cell {
    void put(int column, String formula);
  }

  private final Parameters.Sizes sizes;
  private final Columns columns;
  private final Source source;

  IterationFormulas(Parameters.Sizes sizes, Columns columns, Source source) {
    this.sizes = sizes;
    this.columns = columns;
    this.source = source;
  }

  /** Length of the longest formula of a row. */
  int longest(int row) {
    int[] longest = new int[1];
    row(row, (column, formula) -> longest[0] = Math.max(longest[0], formula.length()));
    return longest[0];
  }

  /**
   * Every formula of one row.
   *
   * @param row counted from 0
   */
  void row(int row, Cell cell) {
    parameters(row, cell);
    forward(row, cell);
    backward(row, cell);
  }

  private void parameters(int row, Cell cell) {
    for (int p = 0; p < sizes.count(); p++) {
      cell.put(
          columns.parameter(p),
          row == FIRST
              ? source.start().get(p)
              : at(row - 1, columns.parameter(p))
                  + "-"
                  + source.rate()
                  + "*"
                  + at(row - 1, columns.gradient(p)));
    }
  }

  private void forward(int row, Cell cell) {
    for (int j = 0; j < sizes.hidden(); j++) {
      int first = columns.parameter(sizes.hiddenWeight(j, 0));
      String net = sum(row, first, sizes.inputs(), source.inputs()::get);
      cell.put(columns.netHidden(j), net + bias(row, sizes.hiddenBias(j)));
      cell.put(columns.hidden(j), sigmoid(at(row, columns.netHidden(j))));
    }
    for (int k = 0; k < sizes.outputs(); k++) {
      int first = columns.parameter(sizes.outputWeight(k, 0));
      String net = sum(row, first, sizes.hidden(), j -> at(row, columns.hidden(j)));
      String a = at(row, columns.output(k));
      cell.put(columns.netOutput(k), net + bias(row, sizes.outputBias(k)));
      cell.put(columns.output(k), sigmoid(at(row, columns.netOutput(k))));
      cell.put(columns.error(k), "(" + source.targets().get(k) + "-" + a + ")^2/2");
    }
    String last = at(row, columns.error(sizes.outputs() - 1));
    cell.put(columns.totalError(), "SUM(" + at(row, columns.error(0)) + ":" + last + ")");
  }

  private void backward(int row, Cell cell) {
    for (int k = 0; k < sizes.outputs(); k++) {
      String a = at(row, columns.output(k));
      String delta = at(row, columns.deltaOutput(k));
      cell.put(
          columns.deltaOutput(k),
          "(%1$s-%2$s)*%1$s*(1-%1$s)".formatted(a, source.targets().get(k)));
      for (int j = 0; j < sizes.hidden(); j++) {
        cell.put(
            columns.gradient(sizes.outputWeight(k, j)), delta + "*" + at(row, columns.hidden(j)));
      }
      if (sizes.biases()) {
        cell.put(columns.gradient(sizes.outputBias(k)), delta);
      }
    }
    for (int j = 0; j < sizes.hidden(); j++) {
      String a = at(row, columns.hidden(j));
      String delta = at(row, columns.deltaHidden(j));
      cell.put(columns.deltaHidden(j), "(%1$s)*%2$s*(1-%2$s)".formatted(throughOutputs(row, j), a));
      for (int i = 0; i < sizes.inputs(); i++) {
        cell.put(columns.gradient(sizes.hiddenWeight(j, i)), delta + "*" + source.inputs().get(i));
      }
      if (sizes.biases()) {
        cell.put(columns.gradient(sizes.hiddenBias(j)), delta);
      }
    }
  }

  /** dE/da_h of hidden neuron j. */
  private String throughOutputs(int row, int j) {
    return IntStream.range(0, sizes.outputs())
        .mapToObj(
            k ->
                at(row, columns.deltaOutput(k))
                    + "*"
                    + at(row, columns.parameter(sizes.outputWeight(k, j))))
        .collect(Collectors.joining("+"));
  }

  /** Sum of weights times sources; the weights' columns and the sources stand side by side. */
  private static String sum(int row, int firstWeight, int count, IntFunction<String> sources) {
    if (count > WRITTEN_OUT) {
      return "SUMPRODUCT(%s:%s,%s:%s)"
          .formatted(
              at(row, firstWeight),
              at(row, firstWeight + count - 1),
              sources.apply(0),
              sources.apply(count - 1).replaceFirst(".*!", ""));
    }
    return IntStream.range(0, count)
        .mapToObj(i -> at(row, firstWeight + i) + "*" + sources.apply(i))
        .collect(Collectors.joining("+"));
  }

  private String bias(int row, int parameter) {
    return sizes.biases() ? "+" + at(row, columns.parameter(parameter)) : "";
  }

  private static String sigmoid(String net) {
    return "1/(1+EXP(-" + net + "))";
  }

  /** {@code C2} for column 2 of row 1, both counted from 0. */
  private static String at(int row, int column) {
    return letters(column) + (row + 1);
  }

  /** {@code A}, ..., {@code Z}, {@code AA}, ... */
  static String letters(int column) {
    String rest = column < 26 ? "" : letters(column / 26 - 1);
    return rest + (char) ('A' + column % 26);
  }
}
