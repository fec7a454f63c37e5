package convtrain.report;

import convtrain.report.Experiments.Experiment;
import convtrain.report.Experiments.Member;
import convtrain.report.plot.LineChart;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
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
    String set = validated ? "validation" : "test";
    return series.isEmpty()
        ? null
        : new LineChart(
            "Error on the " + set + " set by epoch",
            LineChart.Axis.linear("epoch"),
            LineChart.Axis.logarithmic(set + " error (%)"),
            series);
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

  private static double[] meanErrors(Experiment experiment, String accuracy) throws IOException {
    List<double[]> runs = new ArrayList<>();
    for (Member member : experiment.members()) {
      Path metrics = new RunFolder(Path.of(member.folder())).metrics();
      if (Files.exists(metrics)) {
        List<Double> errors = new ArrayList<>();
        for (String line : Files.readAllLines(metrics)) {
          errors.add(100 * (1 - Json.tree(line).path(accuracy).asDouble(Double.NaN)));
        }
        runs.add(errors.stream().mapToDouble(Double::doubleValue).toArray());
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
