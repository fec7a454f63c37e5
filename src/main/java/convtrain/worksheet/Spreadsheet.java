package convtrain.worksheet;

import convtrain.files.AtomicFile;
import java.io.IOException;
import java.nio.channels.Channels;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.dhatim.fastexcel.Workbook;

/**
 * The worksheet as a spreadsheet of formulas. Its first sheet holds the numbers to change: inputs,
 * targets, weights, learning rates; a sheet per learning rate computes a row per iteration from
 * them. No result is stored: the program that opens the file computes every one.
 */
public final class Spreadsheet {
  static final String NETWORK = "Network";

  private static final String NUMBER = "0.000000000";
  private static final String TO_CHANGE = "FFF2CC";
  private static final String HEADING = "DDEBF7";
  private static final int FIRST_RATE = 1;

  // Rows of the first sheet, counted from 0.
  private static final int RATES = 3;
  private static final int FINAL_ERRORS = 4;
  private static final int INPUTS = 7;
  private static final int TARGETS = 10;
  private static final int PARAMETERS = 13;
  private static final int FIRST_VALUE = 1;
  private static final int PARAMETER_VALUE = 3;

  private final Worksheet worksheet;
  private final Parameters.Sizes sizes;
  private final List<Double> rates;
  private final Columns columns;

  private Spreadsheet(Worksheet worksheet, List<Double> rates) {
    this.worksheet = worksheet;
    this.rates = rates;
    sizes = worksheet.sizes();
    columns = new Columns(sizes);
  }

  /**
   * Writes an XLSX file.
   *
   * @throws WorksheetException if the network or the number of steps is more than a sheet holds
   */
  public static void write(Worksheet worksheet, List<Double> rates, Path file) throws IOException {
    Spreadsheet sheet = new Spreadsheet(worksheet, rates);
    sheet.checkFits();
    AtomicFile.write(
        file,
        channel -> {
          Workbook book = new Workbook(Channels.newOutputStream(channel), "Convtrain", null);
          sheet.network(book.newWorksheet(NETWORK));
          for (int r = 0; r < rates.size(); r++) {
            sheet.iterations(book.newWorksheet(sheet.iterationSheet(r)), r);
          }
          book.finish();
        });
  }

  private void checkFits() {
    atMost(org.dhatim.fastexcel.Worksheet.MAX_COLS, columns.count(), "columns");
    atMost(org.dhatim.fastexcel.Worksheet.MAX_ROWS, worksheet.steps() + 2, "rows");
    atMost(IterationFormulas.LONGEST, formulas(0).longest(2), "characters in a formula");
  }

  private static void atMost(int limit, int needed, String what) {
    if (needed > limit) {
      throw new WorksheetException(
          "--xlsx: this worksheet needs %,d %s and a spreadsheet holds %,d; --csv has no such limit"
              .formatted(needed, what, limit));
    }
  }

  private String iterationSheet(int rate) {
    return rates.size() == 1 ? "Iterations" : "Iterations " + (rate + 1);
  }

  private void network(org.dhatim.fastexcel.Worksheet sheet) throws IOException {
    sheet.value(0, 0, "Back-propagation by hand");
    sheet.style(0, 0).bold().fontSize(14).set();
    sheet.value(1, 0, "Change a coloured cell: everything else is computed from them.");
    rates(sheet);
    vector(sheet, INPUTS, "inputs", "i", worksheet.inputs());
    vector(sheet, TARGETS, "targets", "t", worksheet.targets());
    parameters(sheet);
    sheet.width(0, 22);
    for (int column = 1; column <= Math.max(12, 3 + rates.size()); column++) {
      sheet.width(column, 15);
    }
    sheet.finish();
  }

  private void rates(org.dhatim.fastexcel.Worksheet sheet) {
    sheet.value(RATES, 0, "learning rate");
    sheet.value(FINAL_ERRORS, 0, "E after " + worksheet.steps() + " updates");
    for (int r = 0; r < rates.size(); r++) {
      int column = FIRST_RATE + r;
      heading(sheet, RATES - 1, column, iterationSheet(r));
      toChange(sheet, RATES, column, rates.get(r));
      linked(sheet, FINAL_ERRORS, column, r, columns.totalError());
    }
  }

  private void vector(
      org.dhatim.fastexcel.Worksheet sheet, int row, String what, String letter, double[] values) {
    sheet.value(row, 0, what);
    for (int i = 0; i < values.length; i++) {
      heading(sheet, row - 1, FIRST_VALUE + i, letter + (i + 1));
      toChange(sheet, row, FIRST_VALUE + i, values[i]);
    }
  }

  private void parameters(org.dhatim.fastexcel.Worksheet sheet) {
    List<String> titles =
        List.of(sizes.biases() ? "weight or bias" : "weight", "from", "to", "start");
    for (int column = 0; column < titles.size(); column++) {
      heading(sheet, PARAMETERS - 1, column, titles.get(column));
    }
    for (int r = 0; r < rates.size(); r++) {
      heading(
          sheet,
          PARAMETERS - 1,
          PARAMETER_VALUE + 1 + r,
          "after " + worksheet.steps() + (rates.size() == 1 ? "" : ", " + iterationSheet(r)));
    }
    double[] values = worksheet.first().parameters().values();
    for (int p = 0; p < sizes.count(); p++) {
      sheet.value(PARAMETERS + p, 0, sizes.name(p));
      toChange(sheet, PARAMETERS + p, PARAMETER_VALUE, values[p]);
      for (int r = 0; r < rates.size(); r++) {
        linked(sheet, PARAMETERS + p, PARAMETER_VALUE + 1 + r, r, columns.parameter(p));
      }
    }
    edges(sheet);
  }

  /** Where each weight and bias leads. */
  private void edges(org.dhatim.fastexcel.Worksheet sheet) {
    for (int j = 0; j < sizes.hidden(); j++) {
      for (int i = 0; i < sizes.inputs(); i++) {
        edge(sheet, sizes.hiddenWeight(j, i), "i" + (i + 1), "h" + (j + 1));
      }
      for (int k = 0; k < sizes.outputs(); k++) {
        edge(sheet, sizes.outputWeight(k, j), "h" + (j + 1), "o" + (k + 1));
      }
    }
    for (int j = 0; sizes.biases() && j < sizes.hidden(); j++) {
      edge(sheet, sizes.hiddenBias(j), "1", "h" + (j + 1));
    }
    for (int k = 0; sizes.biases() && k < sizes.outputs(); k++) {
      edge(sheet, sizes.outputBias(k), "1", "o" + (k + 1));
    }
  }

  private static void edge(
      org.dhatim.fastexcel.Worksheet sheet, int parameter, String from, String to) {
    sheet.value(PARAMETERS + parameter, 1, from);
    sheet.value(PARAMETERS + parameter, 2, to);
  }

  private void iterations(org.dhatim.fastexcel.Worksheet sheet, int rate) throws IOException {
    List<String> names = columns.names();
    for (int column = 0; column < names.size(); column++) {
      heading(sheet, 0, column, names.get(column));
      sheet.width(column, 13);
    }
    sheet.width(0, 7);
    sheet.freezePane(1, 1);
    IterationFormulas formulas = formulas(rate);
    for (int n = 0; n <= worksheet.steps(); n++) {
      int row = n + 1;
      sheet.value(row, 0, n);
      formulas.row(row, (column, formula) -> sheet.formula(row, column, formula));
      // What was written cannot be styled any more, so each batch of rows is styled and let go.
      if (row % 100 == 0 || n == worksheet.steps()) {
        sheet.range(row - (row - 1) % 100, 1, row, names.size() - 1).style().format(NUMBER).set();
        sheet.flush();
      }
    }
    sheet.finish();
  }

  private IterationFormulas formulas(int rate) {
    return new IterationFormulas(
        sizes,
        columns,
        new IterationFormulas.Source(
            network(RATES, FIRST_RATE + rate),
            IntStream.range(0, sizes.inputs())
                .mapToObj(i -> network(INPUTS, FIRST_VALUE + i))
                .toList(),
            IntStream.range(0, sizes.outputs())
                .mapToObj(k -> network(TARGETS, FIRST_VALUE + k))
                .toList(),
            IntStream.range(0, sizes.count())
                .mapToObj(p -> network(PARAMETERS + p, PARAMETER_VALUE))
                .toList()));
  }

  /** {@code Network!$B$4}. */
  private static String network(int row, int column) {
    return NETWORK + "!$" + IterationFormulas.letters(column) + "$" + (row + 1);
  }

  private void linked(
      org.dhatim.fastexcel.Worksheet sheet, int row, int column, int rate, int source) {
    sheet.formula(
        row,
        column,
        "'%s'!%s%d"
            .formatted(
                iterationSheet(rate), IterationFormulas.letters(source), worksheet.steps() + 2));
    sheet.style(row, column).format(NUMBER).set();
  }

  private static void heading(
      org.dhatim.fastexcel.Worksheet sheet, int row, int column, String text) {
    sheet.value(row, column, text);
    sheet.style(row, column).bold().fillColor(HEADING).horizontalAlignment("center").set();
  }

  private static void toChange(
      org.dhatim.fastexcel.Worksheet sheet, int row, int column, double value) {
    sheet.value(row, column, value);
    sheet.style(row, column).fillColor(TO_CHANGE).set();
  }
}
