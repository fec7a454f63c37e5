package convtrain.bench;

import convtrain.report.Spread;
import convtrain.report.TextTable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;

/** A benchmark's results as text: a row for each combination. */
public final class BenchTable {
  private BenchTable() {}

  /** Speed, then memory, accuracy and both clocks, then the start; what failed stands below. */
  public static String ofEpochs(List<BenchReport.Epochs> all) {
    List<BenchReport.Epochs> done = all.stream().filter(e -> e.result() != null).toList();
    StringBuilder text = new StringBuilder();
    if (!done.isEmpty()) {
      text.append(speed(done)).append('\n').append(outcome(done)).append('\n');
      text.append("Seconds from the start of the process to the end of the first step:\n\n");
      text.append(startUp(done));
      String busy = done.get(0).result().busy().what();
      text.append("\nbusy: ")
          .append(busy)
          .append("; x floor: times the seconds that the epoch's")
          .append(" FLOP take at the rate of a large product\n");
    }
    all.stream()
        .filter(e -> e.failure() != null)
        .forEach(e -> text.append(inWords(e.values())).append(e.failure()).append('\n'));
    return text.toString();
  }

  private static String inWords(Map<String, String> values) {
    List<String> words = new ArrayList<>();
    values.forEach((key, value) -> words.add(BenchGrid.label(key) + " " + value));
    return words.isEmpty() ? "failed: " : String.join(", ", words) + ": ";
  }

  private static String speed(List<BenchReport.Epochs> done) {
    TextTable table = keyed(done);
    for (String header :
        List.of(
            "median s",
            "min s",
            "p95 s",
            "images/s",
            "GFLOP/s",
            "of product",
            "GB/s",
            "of copy",
            "x floor",
            "busy")) {
      table.right(header);
    }
    for (BenchReport.Epochs one : done) {
      EpochResult result = one.result();
      EpochResult.Rates rates = result.rates();
      row(
          table,
          one,
          seconds(result.epochSeconds().median()),
          seconds(result.epochSeconds().min()),
          seconds(result.epochSeconds().p95()),
          text("%,.0f", rates.imagesPerSecond()),
          text("%,.1f", rates.flopsPerSecond() / 1e9),
          percent(rates.flopsShare()),
          text("%,.1f", rates.bytesPerSecond() / 1e9),
          percent(rates.bytesShare()),
          text("%.2f", rates.timesFloor()),
          percent(result.busy().share()));
    }
    return table.render();
  }

  private static String outcome(List<BenchReport.Epochs> done) {
    TextTable table = keyed(done);
    for (String header :
        List.of(
            "GFLOP/s product",
            "GB/s copy",
            "device MiB",
            "resident MiB",
            "train acc",
            "test acc",
            "training s",
            "process s")) {
      table.right(header);
    }
    for (BenchReport.Epochs one : done) {
      EpochResult result = one.result();
      Long resident = result.memory().residentBytes();
      row(
          table,
          one,
          text("%,.1f", result.ceilings().flopsPerSecond() / 1e9),
          text("%,.1f", result.ceilings().bytesPerSecond() / 1e9),
          text("%,.1f", mebibytes(result.memory().deviceBytes())),
          resident == null ? "" : text("%,.1f", mebibytes(resident)),
          text("%.2f%%", 100 * result.accuracy().train()),
          text("%.2f%%", 100 * result.accuracy().test()),
          seconds(result.clocks().trainingSeconds()),
          seconds(result.clocks().processSeconds()));
    }
    return table.render();
  }

  private static String startUp(List<BenchReport.Epochs> done) {
    TextTable table = keyed(done);
    done.get(0).result().startUp().forEach(stage -> table.right(stage.name()));
    table.right("in all");
    for (BenchReport.Epochs one : done) {
      List<String> cells = new ArrayList<>();
      one.result().startUp().forEach(stage -> cells.add(text("%.3f", stage.seconds())));
      cells.add(text("%.3f", one.result().startUpSeconds()));
      row(table, one, cells.toArray());
    }
    return table.render();
  }

  private static TextTable keyed(List<BenchReport.Epochs> done) {
    TextTable table = new TextTable();
    keys(done.get(0)).keySet().forEach(key -> table.left(BenchGrid.label(key)));
    return table;
  }

  /** A single training is named by its batch size. */
  private static Map<String, String> keys(BenchReport.Epochs one) {
    return one.values().isEmpty()
        ? Map.of("batch_size", Integer.toString(one.result().batchSize()))
        : one.values();
  }

  private static void row(TextTable table, BenchReport.Epochs one, Object... cells) {
    List<Object> row = new ArrayList<>(keys(one).values());
    row.addAll(Arrays.asList(cells));
    table.row(row.toArray());
  }

  /** A row for each combination, over its seeds. */
  public static String ofRaces(List<BenchReport.Race> races) {
    TextTable table = new TextTable();
    races.get(0).values().keySet().forEach(key -> table.left(BenchGrid.label(key)));
    table.left("seconds of").right("n").right("mean").right("sd").right("min").right("max");
    for (BenchReport.Race race : races) {
      addRace(table, race, "training alone", race.trainingSeconds(), v -> text("%.2f", v));
      addRace(table, race, "the whole process", race.processSeconds(), v -> text("%.2f", v));
      addRace(table, race, "(epochs)", race.epochs(), v -> text("%.1f", v));
    }
    return table.render();
  }

  private static void addRace(
      TextTable table,
      BenchReport.Race race,
      String clock,
      Spread spread,
      Function<Double, String> text) {
    List<Object> row = new ArrayList<>(race.values().values());
    row.addAll(List.of(clock, race.reached() + " of " + attempts(race)));
    if (spread == null) {
      row.addAll(List.of("", "", "", ""));
    } else {
      Double deviation = spread.standardDeviation();
      row.add(text.apply(spread.mean()));
      row.add(deviation == null ? "" : text.apply(deviation));
      row.add(text.apply(spread.min()));
      row.add(text.apply(spread.max()));
    }
    table.row(row.toArray());
  }

  private static int attempts(BenchReport.Race race) {
    return race.runs().size() + race.failures().size();
  }

  private static double mebibytes(long bytes) {
    return bytes / (double) (1 << 20);
  }

  private static String seconds(double seconds) {
    return text(seconds < 10 ? "%.3f" : "%.2f", seconds);
  }

  private static String percent(double share) {
    return text("%.1f%%", 100 * share);
  }

  private static String text(String format, double value) {
    return String.format(Locale.ROOT, format, value);
  }
}
