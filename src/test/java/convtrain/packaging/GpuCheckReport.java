package convtrain.packaging;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import convtrain.packaging.GpuCheckFolder.Run;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * Makes gpu-check.json and gpu-check.md of what {@code scripts/gpu-check} left in its folder. What
 * a stage did not come to is absent, not an error.
 */
public final class GpuCheckReport {
  /** The fastest mode of each engine at one precision and batch size. */
  private record Pair(String precision, int batchSize, Fastest ours, Fastest theirs) {}

  private record Fastest(String mode, double seconds) {}

  private final GpuCheckFolder folder;
  private final List<Run> speed;
  private final List<JsonNode> theirModes;

  private GpuCheckReport(Path out) throws IOException {
    folder = new GpuCheckFolder(out.resolve("details"));
    speed = new ArrayList<>(folder.runs("speed"));
    speed.sort(
        Comparator.comparing(Run::precision)
            .thenComparing(Run::batchSize)
            .thenComparing(Run::medianSeconds));
    theirModes = folder.pytorch().stream().filter(line -> line.has("mode")).toList();
  }

  public static void main(String[] args) throws IOException {
    Path out = Path.of(args[0]);
    GpuCheckReport report = new GpuCheckReport(out);
    new ObjectMapper()
        .enable(SerializationFeature.INDENT_OUTPUT)
        .writeValue(out.resolve("gpu-check.json").toFile(), report.json());
    Files.writeString(out.resolve("gpu-check.md"), report.markdown());
  }

  // ---- JSON

  private Map<String, Object> json() throws IOException {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("facts", folder.facts());
    json.put("doctor", folder.doctor());
    json.put("stages", folder.stages());
    json.put("tests", folder.tests());
    json.put("weights_sha256", folder.weights());
    json.put("accuracy", folder.runs("accuracy").stream().map(GpuCheckReport::json).toList());
    json.put("speed", speed.stream().map(GpuCheckReport::json).toList());
    json.put("pytorch", folder.pytorch());
    json.put("jax", folder.jax());
    json.put("fastest", pairs().stream().map(GpuCheckReport::json).toList());
    return json;
  }

  private static Map<String, Object> json(Run run) {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("precision", run.precision());
    json.put("cuda_graph", run.graph());
    json.put("placement", run.placement());
    json.put("batch_size", run.batchSize());
    json.put("median_seconds", run.medianSeconds());
    json.put("seconds", run.seconds());
    json.put("train_accuracy", run.last("train_accuracy"));
    json.put("test_accuracy", run.last("test_accuracy"));
    return json;
  }

  private static Map<String, Object> json(Pair pair) {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("precision", pair.precision);
    json.put("batch_size", pair.batchSize);
    json.put("convtrain_mode", pair.ours.mode);
    json.put("convtrain_seconds", pair.ours.seconds);
    json.put("pytorch_mode", pair.theirs.mode);
    json.put("pytorch_seconds", pair.theirs.seconds);
    json.put("ratio", pair.theirs.seconds / pair.ours.seconds);
    return json;
  }

  private List<Pair> pairs() {
    List<Pair> pairs = new ArrayList<>();
    for (Run run : speed) {
      boolean seen =
          pairs.stream()
              .anyMatch(
                  pair ->
                      pair.precision.equals(run.precision()) && pair.batchSize == run.batchSize());
      // Sorted by time, the first of a precision and batch size is the fastest.
      Optional<JsonNode> theirs =
          seen ? Optional.empty() : theirFastest(run.precision(), run.batchSize());
      theirs.ifPresent(
          mode ->
              pairs.add(
                  new Pair(
                      run.precision(),
                      run.batchSize(),
                      new Fastest(run.mode(), run.medianSeconds()),
                      new Fastest(mode.path("mode").asText(), seconds(mode)))));
    }
    return pairs;
  }

  private Optional<JsonNode> theirFastest(String precision, int batchSize) {
    return theirModes.stream()
        .filter(line -> line.has("median_seconds"))
        .filter(line -> line.path("precision").asText().equals(precision))
        .filter(line -> line.path("batch_size").asInt() == batchSize)
        .min(Comparator.comparingDouble(GpuCheckReport::seconds));
  }

  private static double seconds(JsonNode mode) {
    return mode.path("median_seconds").asDouble();
  }

  // ---- Markdown

  private String markdown() throws IOException {
    StringBuilder text = new StringBuilder("# GPU check\n\n");
    folder.facts().forEach((key, value) -> text.append("- %s: %s%n".formatted(key, value)));
    Stream.concat(folder.pytorch().stream(), folder.jax().stream())
        .filter(line -> line.has("facts"))
        .forEach(
            line -> text.append("- %s: %s%n".formatted(engine(line), words(line.path("facts")))));
    text.append("\n## Stages\n\n");
    table(
        text,
        List.of("stage", "outcome", "seconds", ""),
        folder.stages().stream()
            .map(each -> Stream.of("stage", "status", "seconds", "detail").map(each::path))
            .map(cells -> cells.map(JsonNode::asText).toList())
            .toList());
    names(text, "Failed tests", folder.tests().failed());
    names(text, "Skipped tests", folder.tests().skipped());
    text.append("\n## Accuracy\n\n");
    table(
        text,
        List.of("precision", "epochs", "test accuracy", "seconds per epoch (median)"),
        accuracies());
    text.append(
        "\n## Fastest against fastest\n\nSeconds per epoch; same precision and batch size.\n\n");
    table(
        text,
        List.of("precision", "batch size", "Convtrain", "mode", "PyTorch", "mode", "ratio"),
        pairs().stream().map(GpuCheckReport::cells).toList());
    text.append("\n## Every mode\n\nSeconds per epoch: median (each epoch in turn).\n\n");
    table(
        text,
        List.of("engine", "precision", "batch size", "mode", "seconds", "train accuracy"),
        Stream.of(
                speed.stream().map(GpuCheckReport::cells),
                theirModes.stream().map(GpuCheckReport::cells),
                folder.jax().stream().filter(line -> line.has("mode")).map(GpuCheckReport::cells))
            .flatMap(rows -> rows)
            .toList());
    if (!folder.doctor().isEmpty()) {
      text.append("\n## Doctor\n\n```\n%s\n```\n".formatted(String.join("\n", folder.doctor())));
    }
    return text.toString();
  }

  private List<List<String>> accuracies() throws IOException {
    List<List<String>> rows = new ArrayList<>();
    for (Run run : folder.runs("accuracy")) {
      rows.add(
          List.of(
              "Convtrain, " + run.precision(),
              String.valueOf(run.epochs().size()),
              percent(run.last("test_accuracy")),
              time(run.medianSeconds())));
    }
    for (JsonNode line : folder.pytorch()) {
      JsonNode theirs = line.path("accuracy");
      if (theirs.has("test_accuracy")) {
        rows.add(
            List.of(
                "PyTorch, %s, %s".formatted(text(theirs, "precision"), text(theirs, "mode")),
                text(theirs, "epochs"),
                percent(theirs.path("test_accuracy").asDouble()),
                time(seconds(theirs))));
      }
    }
    return rows;
  }

  private static List<String> cells(Pair pair) {
    return List.of(
        pair.precision,
        String.valueOf(pair.batchSize),
        time(pair.ours.seconds),
        pair.ours.mode,
        time(pair.theirs.seconds),
        pair.theirs.mode,
        String.format(Locale.ROOT, "%.2f", pair.theirs.seconds / pair.ours.seconds));
  }

  private static List<String> cells(Run run) {
    return List.of(
        "Convtrain",
        run.precision(),
        String.valueOf(run.batchSize()),
        run.mode(),
        times(run.medianSeconds(), run.seconds()),
        percent(run.last("train_accuracy")));
  }

  private static List<String> cells(JsonNode mode) {
    List<Double> seconds = new ArrayList<>();
    mode.path("seconds").forEach(each -> seconds.add(each.asDouble()));
    boolean measured = mode.has("median_seconds");
    return List.of(
        engine(mode),
        text(mode, "precision"),
        text(mode, "batch_size"),
        text(mode, "mode"),
        measured ? times(seconds(mode), seconds) : text(mode, "skipped"),
        measured ? percent(mode.path("train_accuracy").asDouble()) : "");
  }

  /** What the scripts/bench_*.py that printed a line measures. */
  private static String engine(JsonNode line) {
    return text(line, "engine").equals("jax") ? "JAX" : "PyTorch";
  }

  private static String text(JsonNode node, String key) {
    return node.path(key).asText();
  }

  private static String words(JsonNode facts) {
    List<String> words = new ArrayList<>();
    facts.properties().forEach(fact -> words.add(fact.getKey() + " " + fact.getValue().asText()));
    return String.join(", ", words);
  }

  private static String times(double median, List<Double> each) {
    return "%s (%s)"
        .formatted(
            time(median), String.join(", ", each.stream().map(GpuCheckReport::time).toList()));
  }

  private static String time(double seconds) {
    return String.format(Locale.ROOT, "%.4f", seconds);
  }

  private static String percent(double fraction) {
    return String.format(Locale.ROOT, "%.2f %%", 100 * fraction);
  }

  private static void names(StringBuilder text, String title, List<String> names) {
    if (!names.isEmpty()) {
      text.append("%n%s:%n%n".formatted(title));
      names.forEach(name -> text.append("- %s%n".formatted(name)));
    }
  }

  private static void table(StringBuilder text, List<String> head, List<List<String>> rows) {
    if (rows.isEmpty()) {
      text.append("Nothing was measured.\n");
      return;
    }
    row(text, head);
    row(text, head.stream().map(cell -> "---").toList());
    rows.forEach(cells -> row(text, cells));
  }

  private static void row(StringBuilder text, List<String> cells) {
    List<String> safe = cells.stream().map(cell -> cell.replace("|", "\\|")).toList();
    text.append("| ").append(String.join(" | ", safe)).append(" |\n");
  }
}
