package convtrain.worksheet;

import convtrain.report.TextTable;
import convtrain.report.plot.LineChart;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/** One worksheet trained with several learning rates: error against iterations. */
public final class RateStudy {
  private static final int[] TABLE = {1, 10, 50, 100};
  private static final int MOST_POINTS = 800;

  private final List<Double> rates;
  private final List<double[]> errors;

  /** Trains the worksheet with each rate. */
  public RateStudy(Worksheet worksheet, List<Double> rates) {
    this.rates = List.copyOf(rates);
    errors = rates.stream().map(lr -> worksheet.withRate(lr).errors()).toList();
  }

  public List<Double> rates() {
    return rates;
  }

  /** E after n updates with each rate. */
  double[] errors(int n) {
    return errors.stream().mapToDouble(e -> e[n]).toArray();
  }

  int steps() {
    return errors.get(0).length - 1;
  }

  /** The updates that the table tells of: 1, 10, 50, 100, and the last. */
  int[] tableSteps() {
    return IntStream.concat(Arrays.stream(TABLE).filter(n -> n < steps()), IntStream.of(steps()))
        .toArray();
  }

  /** E by learning rate and number of updates. */
  public String table() {
    TextTable table = new TextTable().right("learning rate");
    Arrays.stream(tableSteps()).forEach(n -> table.right("n=" + n));
    rows().forEach(row -> table.row(row.toArray()));
    return table.render();
  }

  /** The table's cells: a rate, then E at each of {@link #tableSteps}. */
  List<List<String>> rows() {
    List<List<String>> rows = new ArrayList<>();
    for (int r = 0; r < rates.size(); r++) {
      double[] e = errors.get(r);
      List<String> row = new ArrayList<>(List.of(Numbers.of(rates.get(r))));
      Arrays.stream(tableSteps()).forEach(n -> row.add(Numbers.error(e[n])));
      rows.add(row);
    }
    return rows;
  }

  /** E against the number of updates, a line per rate. */
  public LineChart chart() {
    // The curves are smooth, and more points than the picture has columns only make it large.
    long parts = Math.min(steps(), MOST_POINTS);
    int[] points =
        IntStream.rangeClosed(0, (int) parts)
            .map(i -> (int) (i * (long) steps() / parts))
            .toArray();
    double[] n = Arrays.stream(points).asDoubleStream().toArray();
    List<LineChart.Series> series = new ArrayList<>();
    for (int r = 0; r < rates.size(); r++) {
      double[] e = errors.get(r);
      double[] shown = Arrays.stream(points).mapToDouble(at -> e[at]).toArray();
      series.add(new LineChart.Series("lr " + Numbers.of(rates.get(r)), n, shown));
    }
    return new LineChart(
        rates.size() == 1
            ? "Error against iterations, learning rate " + Numbers.of(rates.get(0))
            : "Error against iterations by learning rate",
        LineChart.Axis.linear("iterations (updates of all weights)"),
        LineChart.Axis.logarithmic("error E (sum of squares / 2)"),
        series);
  }
}
