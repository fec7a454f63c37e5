package convtrain.peers;

import convtrain.peers.Comparison.Range;
import convtrain.peers.Comparison.Row;
import convtrain.report.TextTable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * What {@code scripts/bench-peers} ends with: tables on the console and in {@code table.md}, the
 * chart {@code epoch-time.png}.
 */
public final class ComparisonReport {
  private final Comparison comparison;

  ComparisonReport(Comparison comparison) {
    this.comparison = comparison;
  }

  /** Takes the folder with {@code runs.jsonl} and {@code facts.txt}. */
  public static void main(String[] args) throws IOException {
    Path folder = Path.of(args[0]);
    Comparison comparison = new Comparison(Timing.read(folder.resolve("runs.jsonl")));
    ComparisonReport report = new ComparisonReport(comparison);
    System.out.print("\n" + report.text());
    Files.writeString(
        folder.resolve("table.md"),
        report.markdown(Files.readAllLines(folder.resolve("facts.txt"))));
    Charts.epochTime(comparison).writePng(folder.resolve("epoch-time.png"));
    System.out.println("\n" + folder.resolve("table.md") + ", epoch-time.png, runs.jsonl");
  }

  String text() {
    StringBuilder text = new StringBuilder();
    for (String run : comparison.runs()) {
      TextTable table =
          new TextTable()
              .left(run)
              .right("s/epoch")
              .right("min")
              .right("max")
              .right("ratio")
              .right("min")
              .right("max")
              .right("test accuracy");
      for (Row row : rows(run)) {
        Range ratio = row.ratio();
        table.row(
            row.way().label() + (row.isExtrapolated() ? " *" : ""),
            seconds(row.seconds().median()),
            seconds(row.seconds().min()),
            seconds(row.seconds().max()),
            ratio == null ? "" : number(2, ratio.median()),
            ratio == null ? "" : number(2, ratio.min()),
            ratio == null ? "" : number(2, ratio.max()),
            accuracy(row));
      }
      text.append(table.render());
      bestLines(run).forEach(line -> text.append(line).append('\n'));
      text.append('\n');
    }
    notes().forEach(note -> text.append(note).append('\n'));
    return text.toString();
  }

  /**
   * The tables with every round.
   *
   * @param facts lines about machine, commit and date
   */
  String markdown(List<String> facts) {
    StringBuilder text = new StringBuilder();
    facts.forEach(fact -> text.append("- ").append(fact).append('\n'));
    for (String run : comparison.runs()) {
      text.append("\n").append(run).append(":\n\n");
      text.append(
          "| engine | seconds per epoch, each round | median | ratio to Convtrain, median of the"
              + " rounds' | test accuracy |\n|---|---|---|---|---|\n");
      for (Row row : rows(run)) {
        String each =
            row.eachSeconds().stream()
                .map(ComparisonReport::seconds)
                .collect(Collectors.joining(", "));
        text.append(
            "| %s%s | %s | %s | %s | %s |%n"
                .formatted(
                    row.way().label(),
                    row.isExtrapolated() ? " *" : "",
                    each,
                    seconds(row.seconds().median()),
                    ratio(row),
                    accuracy(row)));
      }
      text.append('\n');
      bestLines(run).forEach(line -> text.append(line).append("  \n"));
    }
    text.append('\n');
    notes().forEach(note -> text.append(note).append("  \n"));
    return text.toString();
  }

  private List<Row> rows(String run) {
    return comparison.rows().stream().filter(row -> row.way().run().equals(run)).toList();
  }

  private static String ratio(Row row) {
    if (row.ratio() == null || row.way().isOurs()) {
      return row.way().isOurs() ? "1" : "";
    }
    return "**%s** (%s to %s)"
        .formatted(
            number(2, row.ratio().median()),
            number(2, row.ratio().min()),
            number(2, row.ratio().max()));
  }

  private static String accuracy(Row row) {
    Range range = row.testAccuracy();
    String low = number(2, 100 * range.min());
    String high = number(2, 100 * range.max());
    return low.equals(high) ? low + " %" : low + " to " + high + " %";
  }

  private List<String> bestLines(String run) {
    List<String> lines = new ArrayList<>();
    for (String precision : precisions(run)) {
      for (Row row : comparison.best(run, precision)) {
        lines.add(
            "%s at its best (%s): %s times Convtrain's time"
                .formatted(row.way().engine(), row.way().label(), number(2, row.ratio().median())));
      }
    }
    return lines;
  }

  private List<String> precisions(String run) {
    return rows(run).stream().map(row -> row.way().precision()).distinct().toList();
  }

  private List<String> notes() {
    List<String> notes = new ArrayList<>();
    Row first = comparison.rows().get(0);
    notes.add(
        "%d round%s in turns; an epoch is %,d images; ratios are medians of the rounds' own."
            .formatted(
                comparison.rounds(), comparison.rounds() == 1 ? "" : "s", first.epochImages()));
    comparison.rows().stream()
        .filter(Row::isExtrapolated)
        .map(row -> "%s was given %,d images".formatted(row.way().engine(), row.way().images()))
        .distinct()
        .forEach(
            note ->
                notes.add(
                    "* " + note + ": its epoch is extrapolated, its accuracy is that after them."));
    comparison.versions().forEach((engine, version) -> notes.add(engine + ": " + version));
    return notes;
  }

  /** Three digits or more. */
  private static String seconds(double value) {
    return number(value < 10 ? 2 : 1, value);
  }

  private static String number(int decimals, double value) {
    return String.format(Locale.ROOT, "%." + decimals + "f", value);
  }
}
