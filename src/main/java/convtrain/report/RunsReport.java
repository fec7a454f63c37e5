package convtrain.report;

import convtrain.report.Experiments.Experiment;
import convtrain.report.Experiments.Member;
import convtrain.report.plot.LineChart;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;

/** Many runs side by side, as text, JSON, CSV and picture; see {@link Experiments}. */
public final class RunsReport {
  /** A model has many values, which say little one by one. */
  private static final int MAX_COLUMNS = 6;

  private final Experiments experiments;
  private final List<Experiment> rows;

  private RunsReport(Experiments experiments) {
    this.experiments = experiments;
    rows = experiments.all();
  }

  /**
   * Of run folders, and of folders that hold run folders.
   *
   * @throws RunFolderException if one holds none
   */
  public static RunsReport of(List<Path> folders) throws IOException {
    return new RunsReport(Experiments.of(folders));
  }

  /** The error by epoch, a line per experiment; null if no run completed an epoch. */
  public LineChart chart() throws IOException {
    return ErrorChart.of(experiments);
  }

  /** For programs: a list of experiments with their settings, spreads and runs. */
  public String json() {
    return Json.pretty(rows);
  }

  /** For people: the runs of a single experiment, or a row for each of several; then notes. */
  public String text() {
    return (rows.size() == 1 ? runsTable(rows.get(0)) : experimentsTable()) + notes();
  }

  private static String runsTable(Experiment only) {
    TextTable table = new TextTable().right("seed");
    if (only.validated()) {
      table.right("val acc");
    }
    table.right("test acc").right("test loss").right("epochs").right("seconds").left("folder");
    for (Member member : only.members()) {
      RunResult result = member.result();
      List<Object> cells = new ArrayList<>(List.of(member.seed()));
      if (only.validated()) {
        cells.add(result == null ? "-" : percent(result.validationAccuracy()));
      }
      if (result == null) {
        cells.addAll(List.of("-", "-", "-", "-"));
      } else {
        cells.add(result.trained() ? percent(result.testAccuracy()) : "diverged");
        cells.add(loss(result.testLoss()));
        cells.add(result.epochs());
        cells.add(seconds(result.trainSeconds()));
      }
      cells.add(member.folder());
      table.row(cells.toArray());
    }
    String text = table.render();
    return only.testAccuracy() == null ? text : text + "\n" + summary(only);
  }

  private static String summary(Experiment only) {
    TextTable table =
        new TextTable()
            .left("of " + runs(only.testAccuracy().n()))
            .right("mean")
            .right("sd")
            .right("min")
            .right("max");
    if (only.validated()) {
      table.row(cells("val acc", only.validationAccuracy(), RunsReport::percent));
    }
    table.row(cells("test acc", only.testAccuracy(), RunsReport::percent));
    table.row(cells("test loss", only.testLoss(), RunsReport::loss));
    table.row(cells("seconds", only.trainSeconds(), RunsReport::seconds));
    return table.render();
  }

  private static Object[] cells(String name, Spread spread, Function<Double, String> text) {
    Double sd = spread.standardDeviation();
    return new Object[] {
      name,
      text.apply(spread.mean()),
      sd == null ? "-" : text.apply(sd),
      text.apply(spread.min()),
      text.apply(spread.max())
    };
  }

  private String experimentsTable() {
    List<String> shown = experiments.foremost(MAX_COLUMNS);
    boolean validated = rows.stream().anyMatch(Experiment::validated);
    TextTable table = new TextTable();
    shown.forEach(path -> table.left(path.replaceFirst("^(train|data|model)\\.", "")));
    table.right("runs");
    if (validated) {
      table.right("val acc");
    }
    table.right("test acc").right("sd").right("min").right("max");
    table.right("test loss").right("seconds").left("folder");
    for (Experiment row : rows) {
      List<Object> cells = new ArrayList<>();
      shown.forEach(path -> cells.add(row.setting().get(path)));
      cells.add(row.runs());
      if (validated) {
        cells.add(row.validated() ? percent(row.validationAccuracy().mean()) : "-");
      }
      addResults(cells, row);
      cells.add(folders(row));
      table.row(cells.toArray());
    }
    return table.render();
  }

  private static String folders(Experiment row) {
    String first = row.members().get(0).folder();
    return row.runs() == 1 ? first : "%s and %,d more".formatted(first, row.runs() - 1);
  }

  private static void addResults(List<Object> cells, Experiment row) {
    Spread accuracy = row.testAccuracy();
    if (accuracy == null) {
      cells.addAll(List.of(row.diverged() > 0 ? "diverged" : "-", "-", "-", "-", "-", "-"));
      return;
    }
    Double sd = accuracy.standardDeviation();
    cells.add(percent(accuracy.mean()) + (row.chosenOnTest() ? "*" : ""));
    cells.add(percent(sd));
    cells.add(percent(accuracy.min()));
    cells.add(percent(accuracy.max()));
    cells.add(loss(row.testLoss().mean()));
    cells.add(seconds(row.trainSeconds().mean()));
  }

  private String notes() {
    StringBuilder text = new StringBuilder();
    int hidden = rows.size() == 1 ? 0 : experiments.differing().size() - MAX_COLUMNS;
    if (hidden > 0) {
      text.append("%d more values differ between the runs; --json has all%n".formatted(hidden));
    }
    if (rows.stream().anyMatch(Experiment::chosenOnTest)) {
      text.append("* chosen on the test set: better than is fair\n");
    }
    if (rows.size() > 1 && rows.stream().noneMatch(Experiment::validated)) {
      text.append(
          "sorted by test accuracy; to choose by it is not fair: set data.validation_split\n");
    }
    rows.forEach(
        row ->
            row.repeatedSeeds()
                .forEach(
                    (seed, folders) ->
                        text.append(
                            "seed %d is there %d times, which says nothing new; mean and sd count each: %s%n"
                                .formatted(seed, folders.size(), String.join(", ", folders)))));
    int all = rows.stream().mapToInt(Experiment::runs).sum();
    int unfinished = rows.stream().mapToInt(Experiment::unfinished).sum();
    int diverged = rows.stream().mapToInt(Experiment::diverged).sum();
    if (unfinished > 0) {
      String verbs = unfinished == 1 ? "is not over and counts" : "are not over and count";
      text.append("%d of %s %s for nothing here%n".formatted(unfinished, runs(all), verbs));
    }
    if (diverged > 0) {
      text.append("%d of %s diverged%n".formatted(diverged, runs(all)));
    }
    return text.isEmpty() ? "" : "\n" + text;
  }

  /** A line per run, for spreadsheets: what differs, the seed, the result. */
  public String csv() {
    StringBuilder text = new StringBuilder();
    List<String> header = new ArrayList<>(experiments.differing());
    header.addAll(
        List.of(
            "seed",
            "status",
            "epochs",
            "kept_epoch",
            "validation_accuracy",
            "test_accuracy",
            "test_loss",
            "train_seconds",
            "folder"));
    appendCsv(text, header);
    for (Experiment row : rows) {
      for (Member member : row.members()) {
        RunResult result = member.result();
        List<String> cells = new ArrayList<>(row.setting().values());
        cells.add(Long.toString(member.seed()));
        cells.add(result == null ? "unfinished" : result.status());
        cells.add(text(result, RunResult::epochs));
        cells.add(text(result, RunResult::keptEpoch));
        cells.add(text(result, RunResult::validationAccuracy));
        cells.add(text(result, RunResult::testAccuracy));
        cells.add(text(result, RunResult::testLoss));
        cells.add(text(result, RunResult::trainSeconds));
        cells.add(member.folder());
        appendCsv(text, cells);
      }
    }
    return text.toString();
  }

  private static String text(RunResult result, Function<RunResult, Object> value) {
    Object found = result == null ? null : value.apply(result);
    return found == null ? "" : found.toString();
  }

  private static void appendCsv(StringBuilder text, List<String> cells) {
    for (int i = 0; i < cells.size(); i++) {
      String cell = cells.get(i);
      boolean quote = cell.matches("(?s).*[\",\\n].*");
      text.append(i == 0 ? "" : ",");
      text.append(quote ? "\"" + cell.replace("\"", "\"\"") + "\"" : cell);
    }
    text.append('\n');
  }

  private static String runs(int count) {
    return count == 1 ? "1 run" : "%,d runs".formatted(count);
  }

  private static String percent(Double share) {
    return share == null ? "-" : ConsoleProgress.percent(share);
  }

  private static String loss(Double loss) {
    return loss == null ? "-" : ConsoleProgress.loss(loss);
  }

  private static String seconds(Double seconds) {
    return String.format(Locale.ROOT, "%.1f", seconds);
  }
}
