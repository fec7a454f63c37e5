package convtrain.peers;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * One line of {@code runs.jsonl}: one training in one round.
 *
 * @param way which engine in which way
 * @param seconds per epoch, the median of its timed epochs
 * @param testAccuracy 0 to 1
 * @param version of the engine, and what else is to be known of it
 */
record Timing(int round, Way way, double seconds, double testAccuracy, String version) {
  /**
   * What is compared.
   *
   * @param run the run file's name
   * @param mode the engine's word for how it trains; may be empty
   * @param allocator {@code as shipped} or {@code tuned}
   * @param images samples of an epoch
   */
  record Way(
      String run, String engine, String mode, String allocator, String precision, int images) {
    static final String OURS = "Convtrain";

    boolean isOurs() {
      return engine.equals(OURS);
    }

    /** {@code PyTorch, channels_last, allocator tuned, bf16}. */
    String label() {
      List<String> words = new ArrayList<>(List.of(engine));
      if (!mode.isEmpty()) {
        words.add(mode);
      }
      if (allocator.equals("tuned")) {
        words.add("allocator tuned");
      }
      if (!precision.equals("fp32")) {
        words.add(precision);
      }
      return String.join(", ", words);
    }
  }

  /**
   * What the engines of {@code scripts/bench_*.py}, which have short names, are called in tables.
   */
  private static final Map<String, String> NAMES =
      Map.of("pytorch", "PyTorch in Python", "jax", "JAX");

  static List<Timing> read(Path file) throws IOException {
    ObjectMapper mapper = new ObjectMapper();
    List<Timing> timings = new ArrayList<>();
    for (String line : Files.readAllLines(file)) {
      timings.add(of(mapper.readTree(line)));
    }
    return timings;
  }

  private static Timing of(JsonNode line) {
    List<Double> epochs = new ArrayList<>();
    line.required("seconds").forEach(each -> epochs.add(each.asDouble()));
    return new Timing(
        line.required("round").asInt(),
        new Way(
            line.required("run").asText(),
            NAMES.getOrDefault(line.required("engine").asText(), line.required("engine").asText()),
            line.required("mode").asText(),
            line.required("allocator").asText(),
            line.required("precision").asText(),
            line.required("images").asInt()),
        Comparison.median(epochs),
        line.required("test_accuracy").asDouble(),
        line.required("version").asText());
  }
}
