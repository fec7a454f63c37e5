package convtrain.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import convtrain.report.Experiments.Experiment;
import convtrain.report.Experiments.Member;
import convtrain.report.plot.LineChart;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * The error by epoch, a line per experiment, the best first: on the validation split where each has
 * one, else on the test set; the mean of the runs that reached an epoch.
 */
final class ErrorChart {
  private static final int MAX_LINES = 12;
  private static final int MAX_VALUES_IN_NAME = 3;
  private static final int LONGEST_NAME = 32;
  private static final int SHOWN_TIMES_LEAST = 4;

  private ErrorChart() {}

  /** Null if no run completed an epoch. */
  static LineChart of(Experiments experiments) throws IOException {
    List<Experiment> all = experiments.all();
    boolean validated = all.stream().allMatch(Experiment::validated);
    List<LineChart.Series> series = new ArrayList<>();
    for (Experiment experiment : all.subList(0, Math.min(MAX_LINES, all.size()))) {
      double[] errors = meanErrors(experiment, validated ? "validation_accuracy" : "test_accuracy");
      if (errors.length > 0) {
        double[] epochs = IntStream.rangeClosed(1, errors.length).asDoubleStream().toArray();
        series.add(new LineChart.Series(name(experiment, series.size()), epochs, errors));
      }
    }
    return series.isEmpty() ? null : chart(validated ? "validation" : "test", series);
  }

  /**
   * Where the lines end close together the first epochs' large errors would press them flat: those
   * are left out. Where they do not, a logarithmic axis shows all.
   */
  private static LineChart chart(String set, List<LineChart.Series> series) {
    double[] least =
        series.stream().mapToDouble(line -> Arrays.stream(line.y()).min().orElseThrow()).toArray();
    double bound = SHOWN_TIMES_LEAST * Arrays.stream(least).min().orElseThrow();
    boolean close = series.stream().allMatch(line -> line.y()[line.y().length - 1] <= bound);
    String label = set + " error (%)";
    return new LineChart(
        "Error on the " + set + " set by epoch",
        LineChart.Axis.linear("epoch"),
        close ? LineChart.Axis.linear(label) : LineChart.Axis.logarithmic(label),
        close ? series.stream().map(line -> upTo(bound, line)).toList() : series);
  }

  /** From where the line stays within the bound. */
  private static LineChart.Series upTo(double bound, LineChart.Series line) {
    double[] y = line.y().clone();
    boolean within = true;
    for (int i = y.length - 1; i >= 0; i--) {
      within &= y[i] <= bound;
      y[i] = within ? y[i] : Double.NaN;
    }
    return new LineChart.Series(line.name(), line.x(), y);
  }

  /** What sets it apart, or where that is too long the row of the table that says it. */
  private static String name(Experiment experiment, int index) {
    if (experiment.setting().isEmpty()) {
      return "mean of " + experiment.runs();
    }
    String name =
        experiment.setting().entrySet().stream()
            .map(e -> e.getKey().substring(e.getKey().lastIndexOf('.') + 1) + "=" + e.getValue())
            .collect(Collectors.joining(" "));
    boolean clear =
        experiment.setting().size() <= MAX_VALUES_IN_NAME && name.length() <= LONGEST_NAME;
    return clear ? name : "row " + (index + 1);
  }

  private static double[] errors(Path metrics, String accuracy) throws IOException {
    List<String> lines = Files.readAllLines(metrics);
    double[] errors = new double[lines.size()];
    for (int i = 0; i < errors.length; i++) {
      try {
        errors[i] = 100 * (1 - Json.tree(lines.get(i)).path(accuracy).asDouble(Double.NaN));
      } catch (JsonProcessingException e) {
        throw RunFolderException.damaged(metrics, i + 1, "correct or remove that line", e);
      }
    }
    return errors;
  }

  private static double[] meanErrors(Experiment experiment, String accuracy) throws IOException {
    List<double[]> runs = new ArrayList<>();
    for (Member member : experiment.members()) {
      Path metrics = new RunFolder(Path.of(member.folder())).metrics();
      if (Files.exists(metrics)) {
        runs.add(errors(metrics, accuracy));
      }
    }
    int epochs = runs.stream().mapToInt(run -> run.length).max().orElse(0);
    double[] means = new double[epochs];
    for (int i = 0; i < epochs; i++) {
      int epoch = i;
      means[i] =
          runs.stream()
              .filter(run -> run.length > epoch)
              .mapToDouble(run -> run[epoch])
              .average()
              .orElseThrow();
    }
    return means;
  }
}
