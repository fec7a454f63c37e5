package convtrain.worksheet;

import convtrain.report.TextTable;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** The worksheet for a console: diagram, derivation, check of the gradients, iterations. */
public final class TextReport {
  private static final int WIDTH = 100;

  private final Worksheet worksheet;
  private final Parameters.Sizes sizes;
  private final Shown shown;

  /**
   * @param all whether a wide network's every neuron is written out too
   */
  public TextReport(Worksheet worksheet, boolean all) {
    this.worksheet = worksheet;
    sizes = worksheet.sizes();
    shown = new Shown(sizes, all);
  }

  /** Lines ending in line feeds. */
  public String render() {
    return network() + "\n" + derivation() + gradients() + "\n" + iterations();
  }

  /** The diagram and the numbers it starts from. */
  public String network() {
    StringBuilder text = new StringBuilder(sizes.inWords()).append("\n\n");
    text.append(TextDiagram.render(sizes)).append('\n');
    for (StartValues.Line line : StartValues.of(worksheet, shown)) {
      text.append(String.format("%-9s%s\n", line.what(), line.values()));
    }
    return text.toString();
  }

  private String derivation() {
    StringBuilder text = new StringBuilder();
    for (Derivation.Section section : new Derivation(worksheet, shown).sections()) {
      text.append(section.title()).append('\n');
      if (!section.note().isEmpty()) {
        text.append("  ").append(section.note()).append('\n');
      }
      section.equations().forEach(equation -> text.append(lines(equation)));
      text.append('\n');
    }
    return text.toString();
  }

  /** On one line if it fits, else a line per step. */
  private static String lines(Derivation.Equation equation) {
    String line = "  " + equation.left() + " = " + String.join(" = ", equation.steps()) + "\n";
    if (line.length() <= WIDTH) {
      return line;
    }
    String indent = "\n  " + " ".repeat(equation.left().length()) + " = ";
    return "  " + equation.left() + " = " + String.join(indent, equation.steps()) + "\n";
  }

  private String gradients() {
    Worksheet.Iteration first = worksheet.first();
    DifferenceQuotient quotient = new DifferenceQuotient(worksheet, first.parameters());
    TextTable table =
        new TextTable()
            .left("gradient")
            .right("chain rule")
            .right("difference quotient")
            .right("apart by");
    for (int parameter : checked()) {
      double exact = first.backward().gradients()[parameter];
      double measured = quotient.of(parameter);
      table.row(
          "dE/d" + sizes.name(parameter),
          Numbers.slope(exact),
          Numbers.slope(measured),
          String.format(Locale.ROOT, "%.0e", Math.abs(exact - measured)));
    }
    return "Check: the slope of E taken beside the point, without the chain rule\n\n"
        + table.render();
  }

  private List<Integer> checked() {
    List<Integer> parameters = new ArrayList<>();
    for (int j : shown.neurons(sizes.hidden())) {
      for (int i : shown.weights(sizes.inputs())) {
        parameters.add(sizes.hiddenWeight(j, i));
      }
    }
    for (int k : shown.neurons(sizes.outputs())) {
      for (int j : shown.weights(sizes.hidden())) {
        parameters.add(sizes.outputWeight(k, j));
      }
    }
    for (int b = sizes.weights(); shown.everything() && b < sizes.count(); b++) {
      parameters.add(b);
    }
    return parameters;
  }

  private String iterations() {
    IterationTable rows = new IterationTable(worksheet, shown);
    TextTable table = new TextTable();
    rows.header().forEach(table::right);
    rows.rows().forEach(row -> table.row(row.toArray()));
    return "Iterations with learning rate %s; n counts updates\n\n%s"
        .formatted(Numbers.of(worksheet.lr()), table.render());
  }
}
