package convtrain.report;

import convtrain.config.RunConfig;
import convtrain.config.RunConfigLoader;
import convtrain.report.plot.LineChart;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * Many runs side by side. Runs whose run files differ in nothing but seed and name are one
 * experiment, whose results get mean and spread; what differs between experiments heads their rows.
 */
public final class RunsReport {
  /** A model has many values, which say little one by one. */
  private static final int MAX_COLUMNS = 6;

  private static final int MAX_LINES = 12;
  private static final int LONGEST_LINE_NAME = 32;

  /**
   * A run's folder as it stands.
   *
   * @param values of its complete run file by path
   * @param result null while it is not over
   */
  private record Entry(Path folder, long seed, SortedMap<String, String> values, RunResult result) {
    Map<String, String> setting() {
      Map<String, String> setting = new TreeMap<>(values);
      setting.keySet().removeAll(List.of("seed", "name"));
      return setting;
    }
  }

  /** What one experiment's row says; spreads are null where no run has the number. */
  private record Row(
      Map<String, String> setting,
      int runs,
      int unfinished,
      int diverged,
      boolean chosenOnTest,
      Spread testAccuracy,
      Spread testLoss,
      Spread validationAccuracy,
      Spread validationLoss,
      Spread trainSeconds,
      List<Member> members) {}

  /** One run of a row. */
  private record Member(String folder, long seed, RunResult result) {}

  private final List<Entry> entries;
  private final List<String> differing;
  private final List<Row> rows;

  private RunsReport(List<Entry> entries) {
    this.entries = entries;
    differing = differing(entries);
    rows = rows();
  }

  /**
   * Of run folders, and of folders that hold run folders.
   *
   * @throws RunFolderException if one holds none
   */
  public static RunsReport of(List<Path> folders) throws IOException {
    List<Entry> entries = new ArrayList<>();
    for (Path folder : folders) {
      List<Path> runs = runFolders(folder);
      if (runs.isEmpty()) {
        throw new RunFolderException(
            folder
                + ": found no run (run.json) in it or below; expected folders that convtrain made");
      }
      for (Path run : runs) {
        entries.add(read(new RunFolder(run)));
      }
    }
    return new RunsReport(entries.stream().distinct().toList());
  }

  private static List<Path> runFolders(Path folder) throws IOException {
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (Stream<Path> files = Files.walk(folder, 3)) {
      return files.filter(file -> file.endsWith("run.json")).map(Path::getParent).sorted().toList();
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  private static Entry read(RunFolder folder) throws IOException {
    RunConfig run =
        RunConfigLoader.parse(folder.runJson().toString(), Files.readString(folder.runJson()));
    return new Entry(folder.dir(), run.seed(), RunConfigLoader.values(run), folder.result());
  }

  private static List<String> differing(List<Entry> entries) {
    TreeSet<String> paths = new TreeSet<>();
    entries.forEach(entry -> paths.addAll(entry.setting().keySet()));
    return paths.stream()
        .filter(
            path -> entries.stream().map(entry -> entry.values.get(path)).distinct().count() > 1)
        .toList();
  }

  private List<Row> rows() {
    Map<Map<String, String>, List<Entry>> groups = new LinkedHashMap<>();
    entries.forEach(
        entry -> groups.computeIfAbsent(entry.setting(), key -> new ArrayList<>()).add(entry));
    List<Row> made = new ArrayList<>();
    groups.values().forEach(group -> made.add(row(group)));
    made.sort(Comparator.comparing(RunsReport::merit, Comparator.reverseOrder()));
    return made;
  }

  /** Validation decides where there is one, so that nobody chooses by the test set unawares. */
  private static double merit(Row row) {
    Spread accuracy = row.validationAccuracy != null ? row.validationAccuracy : row.testAccuracy;
    return accuracy == null ? -1 : accuracy.mean();
  }

  private Row row(List<Entry> group) {
    Map<String, String> setting = new LinkedHashMap<>();
    differing.forEach(path -> setting.put(path, group.get(0).values.getOrDefault(path, "absent")));
    List<RunResult> results = group.stream().map(Entry::result).filter(Objects::nonNull).toList();
    List<RunResult> trained = results.stream().filter(RunResult::trained).toList();
    return new Row(
        setting,
        group.size(),
        group.size() - results.size(),
        results.size() - trained.size(),
        results.stream().anyMatch(RunResult::chosenOnTest),
        spread(trained, RunResult::testAccuracy),
        spread(trained, RunResult::testLoss),
        spread(trained, RunResult::validationAccuracy),
        spread(trained, RunResult::validationLoss),
        spread(trained, RunResult::trainSeconds),
        group.stream()
            .sorted(Comparator.comparingLong(Entry::seed))
            .map(entry -> new Member(entry.folder.toString(), entry.seed, entry.result))
            .toList());
  }

  private static Spread spread(List<RunResult> results, Function<RunResult, Double> value) {
    return Spread.of(results.stream().map(value).filter(Objects::nonNull).toList());
  }

  /** For people: the runs of a single experiment, or a row for each of several; then notes. */
  public String text() {
    String table = rows.size() == 1 ? runsTable(rows.get(0)) : experimentsTable();
    return table + notes();
  }

  private String runsTable(Row row) {
    boolean validated = row.validationAccuracy != null;
    TextTable table = new TextTable().right("seed");
    if (validated) {
      table.right("val acc");
    }
    table.right("test acc").right("test loss").right("epochs").right("seconds").left("folder");
    for (Member member : row.members) {
      RunResult result = member.result;
      List<Object> cells = new ArrayList<>(List.of(member.seed));
      if (validated) {
        cells.add(result == null ? "-" : percent(result.validationAccuracy()));
      }
      cells.add(
          result == null ? "-" : result.trained() ? percent(result.testAccuracy()) : "diverged");
      cells.add(result == null ? "-" : loss(result.testLoss()));
      cells.add(result == null ? "-" : result.epochs());
      cells.add(result == null ? "-" : seconds(result.trainSeconds()));
      cells.add(member.folder);
      table.row(cells.toArray());
    }
    String text = table.render();
    return row.testAccuracy == null ? text : text + "\n" + summary(row);
  }

  private static String summary(Row row) {
    TextTable table =
        new TextTable()
            .left("of " + row.testAccuracy.n() + " runs")
            .right("mean")
            .right("sd")
            .right("min")
            .right("max");
    if (row.validationAccuracy != null) {
      table.row(cells("val acc", row.validationAccuracy, RunsReport::percent));
    }
    table.row(cells("test acc", row.testAccuracy, RunsReport::percent));
    table.row(cells("test loss", row.testLoss, RunsReport::loss));
    table.row(cells("seconds", row.trainSeconds, RunsReport::seconds));
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
    List<String> shown = differing.subList(0, Math.min(MAX_COLUMNS, differing.size()));
    boolean validated = rows.stream().anyMatch(row -> row.validationAccuracy != null);
    TextTable table = new TextTable();
    shown.forEach(path -> table.left(path.replaceFirst("^(train|data|model)\\.", "")));
    table.right("runs");
    if (validated) {
      table.right("val acc");
    }
    table
        .right("test acc")
        .right("sd")
        .right("min")
        .right("max")
        .right("test loss")
        .right("seconds");
    for (Row row : rows) {
      List<Object> cells = new ArrayList<>();
      shown.forEach(path -> cells.add(row.setting.get(path)));
      cells.add(row.runs);
      if (validated) {
        cells.add(row.validationAccuracy == null ? "-" : percent(row.validationAccuracy.mean()));
      }
      Spread accuracy = row.testAccuracy;
      if (accuracy == null) {
        cells.addAll(List.of(row.diverged > 0 ? "diverged" : "-", "-", "-", "-", "-", "-"));
      } else {
        cells.add(percent(accuracy.mean()) + (row.chosenOnTest ? "*" : ""));
        cells.add(
            accuracy.standardDeviation() == null ? "-" : percent(accuracy.standardDeviation()));
        cells.add(percent(accuracy.min()));
        cells.add(percent(accuracy.max()));
        cells.add(loss(row.testLoss.mean()));
        cells.add(seconds(row.trainSeconds.mean()));
      }
      table.row(cells.toArray());
    }
    return table.render();
  }

  private String notes() {
    StringBuilder text = new StringBuilder();
    int hidden = rows.size() == 1 ? 0 : differing.size() - MAX_COLUMNS;
    if (hidden > 0) {
      text.append("%d more values differ between the runs; --json has all%n".formatted(hidden));
    }
    if (rows.stream().anyMatch(Row::chosenOnTest)) {
      text.append("* chosen on the test set: better than is fair\n");
    }
    if (rows.size() > 1 && rows.stream().allMatch(row -> row.validationAccuracy == null)) {
      text.append(
          "sorted by test accuracy; to choose by it is not fair: set data.validation_split\n");
    }
    int unfinished = rows.stream().mapToInt(Row::unfinished).sum();
    int diverged = rows.stream().mapToInt(Row::diverged).sum();
    if (unfinished > 0) {
      text.append(
          "%d of %d runs are not over and count for nothing here%n"
              .formatted(unfinished, entries.size()));
    }
    if (diverged > 0) {
      text.append("%d of %d runs diverged%n".formatted(diverged, entries.size()));
    }
    return text.isEmpty() ? "" : "\n" + text;
  }

  /**
   * The experiments' error by epoch, the best first: on the validation split where there is one,
   * else on the test set; the mean of the runs that reached an epoch.
   *
   * @return null if no run completed an epoch
   */
  public LineChart chart() throws IOException {
    boolean validated = rows.stream().allMatch(row -> row.validationAccuracy != null);
    List<LineChart.Series> series = new ArrayList<>();
    for (Row row : rows.subList(0, Math.min(MAX_LINES, rows.size()))) {
      double[] errors = meanErrors(row, validated ? "validation_accuracy" : "test_accuracy");
      if (errors.length > 0) {
        double[] epochs = IntStream.rangeClosed(1, errors.length).asDoubleStream().toArray();
        series.add(new LineChart.Series(lineName(row, series.size()), epochs, errors));
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

  private String lineName(Row row, int index) {
    if (row.setting.isEmpty()) {
      return "mean of " + row.runs;
    }
    String name =
        row.setting.entrySet().stream()
            .limit(3)
            .map(e -> e.getKey().substring(e.getKey().lastIndexOf('.') + 1) + "=" + e.getValue())
            .collect(Collectors.joining(" "));
    boolean clear = differing.size() <= 3 && name.length() <= LONGEST_LINE_NAME;
    return clear ? name : "row " + (index + 1);
  }

  private static double[] meanErrors(Row row, String accuracy) throws IOException {
    List<double[]> runs = new ArrayList<>();
    for (Member member : row.members) {
      Path metrics = new RunFolder(Path.of(member.folder)).metrics();
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

  /** For programs: a list of experiments with their settings, spreads and runs. */
  public String json() {
    return Json.pretty(rows);
  }

  /** A line per run, for spreadsheets: what differs, the seed, the result. */
  public String csv() {
    StringBuilder text = new StringBuilder();
    List<String> header = new ArrayList<>(differing);
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
    for (Row row : rows) {
      for (Member member : row.members) {
        RunResult result = member.result;
        List<String> cells = new ArrayList<>(row.setting.values());
        cells.add(Long.toString(member.seed));
        cells.add(result == null ? "unfinished" : result.status());
        cells.add(text(result, RunResult::epochs));
        cells.add(text(result, RunResult::keptEpoch));
        cells.add(text(result, RunResult::validationAccuracy));
        cells.add(text(result, RunResult::testAccuracy));
        cells.add(text(result, RunResult::testLoss));
        cells.add(text(result, RunResult::trainSeconds));
        cells.add(member.folder);
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

  private static String percent(Double share) {
    return share == null ? "-" : String.format(Locale.ROOT, "%.2f%%", 100 * share);
  }

  private static String loss(Double loss) {
    return loss == null ? "-" : ConsoleProgress.loss(loss);
  }

  private static String seconds(Double seconds) {
    return String.format(Locale.ROOT, "%.1f", seconds);
  }
}
