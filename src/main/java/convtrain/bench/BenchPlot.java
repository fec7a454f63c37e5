package convtrain.bench;

import convtrain.config.ConfigException;
import convtrain.report.plot.LineChart;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.DoubleSummaryStatistics;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Median epoch time against what was varied, by doublings; time logarithmic where it grows tenfold,
 * from zero where it does not.
 */
public final class BenchPlot {
  private BenchPlot() {}

  /**
   * The axis that a plot goes over: of the numeric ones that of most values, the later of equals.
   *
   * @throws ConfigException if none has two values
   */
  public static BenchGrid.Axis over(List<BenchGrid.Axis> axes) {
    BenchGrid.Axis longest = null;
    for (BenchGrid.Axis axis : axes) {
      boolean longer = longest == null || axis.values().size() >= longest.values().size();
      if (axis.kind().isNumeric() && axis.values().size() > 1 && longer) {
        longest = axis;
      }
    }
    if (longest == null) {
      throw new ConfigException(
          "--plot: nothing varies; give several values of --batch-size, --width, --limit or"
              + " --threads, such as --batch-size=64,128,256");
    }
    return longest;
  }

  /** A line for each combination of the other axes; what failed is left out. */
  public static LineChart chart(
      String network, BenchGrid.Axis over, List<BenchReport.Epochs> results) {
    Map<String, List<double[]>> lines = new LinkedHashMap<>();
    for (BenchReport.Epochs one : results) {
      if (one.result() != null) {
        Map<String, String> others = new LinkedHashMap<>(one.values());
        double x = Double.parseDouble(others.remove(over.kind().key()));
        double[] point = {x, one.result().epochSeconds().median()};
        lines.computeIfAbsent(name(others), name -> new ArrayList<>()).add(point);
      }
    }
    List<LineChart.Series> series = new ArrayList<>();
    lines.forEach(
        (name, points) ->
            series.add(
                new LineChart.Series(
                    name,
                    points.stream().mapToDouble(point -> point[0]).toArray(),
                    points.stream().mapToDouble(point -> point[1]).toArray())));
    return new LineChart(
        network + ": one epoch",
        new LineChart.Axis(over.kind().label(), LineChart.Scale.DOUBLINGS),
        new LineChart.Axis("median time (s)", time(series)),
        series);
  }

  private static LineChart.Scale time(List<LineChart.Series> series) {
    DoubleSummaryStatistics all =
        series.stream().flatMapToDouble(one -> Arrays.stream(one.y())).summaryStatistics();
    return all.getMax() >= 10 * all.getMin()
        ? LineChart.Scale.LOGARITHMIC
        : LineChart.Scale.FROM_ZERO;
  }

  private static String name(Map<String, String> values) {
    List<String> words = new ArrayList<>();
    values.forEach((key, value) -> words.add(BenchGrid.label(key) + " " + value));
    return words.isEmpty() ? "epoch" : String.join(", ", words);
  }

  /** As SVG if the file is called so, else as PNG. */
  public static void write(LineChart chart, Path file) throws IOException {
    if (file.toString().toLowerCase(Locale.ROOT).endsWith(".svg")) {
      chart.writeSvg(file);
    } else {
      chart.writePng(file);
    }
  }
}
