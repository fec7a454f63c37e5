package convtrain.peers;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import convtrain.peers.Comparison.Row;
import convtrain.peers.Timing.Way;
import convtrain.report.plot.BarChart;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * The charts of {@code benchmarks/}.
 *
 * <pre>
 * mvn -q -B -Dquick -Pbench test-compile
 * java -cp target/quick-test-classes:target/quick-classes:$(cat target/bench.classpath) \
 *     convtrain.peers.Charts epoch-time DIR/runs.jsonl OUT.png   (what scripts/bench-peers left)
 *     convtrain.peers.Charts step-time PROFILE.json OUT.png      (what convtrain profile --json left)
 * </pre>
 */
public final class Charts {
  private static final List<String> PHASES = List.of("forward", "backward", "other");

  private Charts() {}

  public static void main(String[] args) throws IOException {
    if (args.length != 3 || !List.of("epoch-time", "step-time").contains(args[0])) {
      System.err.println(
          "Charts: expected epoch-time RUNS.jsonl OUT.png or step-time PROFILE.json OUT.png");
      System.exit(2);
    }
    Path in = Path.of(args[1]);
    BarChart chart =
        args[0].equals("epoch-time")
            ? epochTime(new Comparison(Timing.read(in)))
            : stepTime(new ObjectMapper().readTree(in.toFile()));
    chart.writePng(Path.of(args[2]));
  }

  /** A bar for each way of each run, as long as its median, with the rounds' spread. */
  static BarChart epochTime(Comparison comparison) {
    List<BarChart.Row> bars = new ArrayList<>();
    for (String run : comparison.runs()) {
      bars.add(BarChart.Row.heading(run));
      for (Row row : comparison.rows()) {
        // One that takes many times as long as the others would leave them no room.
        if (row.way().run().equals(run) && !row.isExtrapolated()) {
          bars.add(bar(row));
        }
      }
    }
    return new BarChart(
        "%,d images, medians of %d rounds"
            .formatted(comparison.rows().get(0).epochImages(), comparison.rounds()),
        "seconds per epoch" + notShown(comparison),
        List.of(Way.OURS, "other engines"),
        bars);
  }

  /** {@code "; DL4J, not shown: 735.5, 617.2"}. */
  private static String notShown(Comparison comparison) {
    Map<String, List<String>> seconds = new LinkedHashMap<>();
    for (Row row : comparison.rows()) {
      if (row.isExtrapolated()) {
        seconds
            .computeIfAbsent(row.way().engine(), engine -> new ArrayList<>())
            .add(number(row.seconds().median()));
      }
    }
    StringBuilder text = new StringBuilder();
    seconds.forEach(
        (engine, each) ->
            text.append("; ")
                .append(engine)
                .append(", not shown: ")
                .append(String.join(", ", each)));
    return text.toString();
  }

  private static BarChart.Row bar(Row row) {
    double median = row.seconds().median();
    String note = number(median) + " s";
    boolean ours = row.way().isOurs();
    if (row.ratio() != null && !ours) {
      note += ", %.2f times".formatted(row.ratio().median());
    }
    return new BarChart.Row(
        row.way().label(),
        ours ? new double[] {median, 0} : new double[] {0, median},
        row.seconds().min(),
        row.seconds().max(),
        note);
  }

  /**
   * A bar for each kind of op, in parts by phase, the longest first.
   *
   * @param profile {@code {"ops": [{"kind": ..., "phase": ..., "ms": ...}, ...]}}
   */
  static BarChart stepTime(JsonNode profile) {
    Map<String, double[]> byKind = new LinkedHashMap<>();
    double all = 0;
    for (JsonNode op : profile.required("ops")) {
      int phase = PHASES.indexOf(op.required("phase").asText());
      double ms = op.required("ms").asDouble();
      double[] parts =
          byKind.computeIfAbsent(op.required("kind").asText(), k -> new double[PHASES.size()]);
      parts[phase < 0 ? PHASES.size() - 1 : phase] += ms;
      all += ms;
    }
    double total = all;
    List<BarChart.Row> rows =
        byKind.entrySet().stream()
            .sorted(Comparator.comparingDouble(e -> -Arrays.stream(e.getValue()).sum()))
            .map(
                e -> {
                  double sum = Arrays.stream(e.getValue()).sum();
                  String note = "%s ms, %.1f %%".formatted(number(sum), 100 * sum / total);
                  return BarChart.Row.bar(e.getKey(), e.getValue(), note);
                })
            .toList();
    return new BarChart(
        "Where a step of %s ms goes".formatted(number(total)), "ms per step", PHASES, rows);
  }

  private static String number(double value) {
    return String.format(Locale.ROOT, value < 10 ? "%.2f" : "%.1f", value);
  }
}
