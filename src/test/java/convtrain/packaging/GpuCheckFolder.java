package convtrain.packaging;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import org.w3c.dom.Element;
import org.w3c.dom.NodeList;
import org.xml.sax.SAXException;

/** Reads what the stages of {@code scripts/gpu-check} left in the folder {@code details}. */
record GpuCheckFolder(Path details) {
  private static final ObjectMapper JSON = new ObjectMapper();

  /** One training run of the speed or the accuracy stage. */
  record Run(
      String precision, boolean graph, String placement, int batchSize, List<JsonNode> epochs) {
    /** The median of all epochs but the first, which loads kernels and touches memory. */
    double medianSeconds() {
      return median(seconds().subList(Math.min(1, epochs.size() - 1), epochs.size()));
    }

    List<Double> seconds() {
      return epochs.stream().map(epoch -> epoch.path("train_seconds").asDouble()).toList();
    }

    double last(String key) {
      return epochs.get(epochs.size() - 1).path(key).asDouble();
    }

    String mode() {
      return (graph ? "graph" : "eager") + ", " + placement;
    }
  }

  /** Outcome of the test suites; the names say what failed and what was skipped. */
  record Tests(int count, List<String> failed, List<String> skipped) {}

  static double median(List<Double> values) {
    List<Double> sorted = values.stream().sorted().toList();
    int n = sorted.size();
    return n % 2 == 1 ? sorted.get(n / 2) : (sorted.get(n / 2 - 1) + sorted.get(n / 2)) / 2;
  }

  /** The lines {@code key: value} of facts.txt, in order. */
  Map<String, String> facts() throws IOException {
    Map<String, String> facts = new LinkedHashMap<>();
    for (String line : lines(details.resolve("facts.txt"))) {
      String[] parts = line.split(": ", 2);
      facts.put(parts[0], parts.length == 2 ? parts[1] : "");
    }
    return facts;
  }

  /** What {@code convtrain doctor} said, line by line. */
  List<String> doctor() throws IOException {
    return lines(details.resolve("doctor/log.txt"));
  }

  /** The stages that ran, in order. */
  List<JsonNode> stages() throws IOException {
    return jsonLines(details.resolve("stages.jsonl"));
  }

  /** All lines of scripts/bench_pytorch.py; warnings among them are left out. */
  List<JsonNode> pytorch() throws IOException {
    return jsonLines(details.resolve("pytorch/bench.jsonl"));
  }

  /** All lines of scripts/bench_jax.py. */
  List<JsonNode> jax() throws IOException {
    return jsonLines(details.resolve("jax/bench.jsonl"));
  }

  /** Name of a run and checksum of its weights. */
  Map<String, String> weights() throws IOException {
    Map<String, String> sums = new LinkedHashMap<>();
    for (String line : lines(details.resolve("identity/sums.txt"))) {
      String[] parts = line.split(" ", 2);
      sums.put(parts[0], parts[1]);
    }
    return sums;
  }

  /** Runs that finished an epoch, of a stage's folder; each says in its run file what it was. */
  List<Run> runs(String stage) throws IOException {
    List<Run> runs = new ArrayList<>();
    for (Path folder : entries(details.resolve(stage))) {
      Path file = folder.resolve("run.json");
      List<JsonNode> epochs = jsonLines(folder.resolve("metrics.jsonl"));
      if (Files.exists(file) && !epochs.isEmpty()) {
        JsonNode run = JSON.readTree(file.toFile());
        JsonNode train = run.path("train");
        runs.add(
            new Run(
                train.path("precision").asText(),
                train.path("cuda_graph").asBoolean(),
                run.path("data").path("placement").asText(),
                train.path("batch_size").asInt(),
                epochs));
      }
    }
    return runs;
  }

  /** Counts of JUnit's reports, as its console or Surefire wrote them. */
  Tests tests() throws IOException {
    int count = 0;
    List<String> failed = new ArrayList<>();
    List<String> skipped = new ArrayList<>();
    for (Path file : entries(details.resolve("tests/reports"))) {
      NodeList cases = xml(file).getElementsByTagName("testcase");
      for (int i = 0; i < cases.getLength(); i++) {
        Element test = (Element) cases.item(i);
        String name = test.getAttribute("classname") + "." + test.getAttribute("name");
        count++;
        if (has(test, "failure") || has(test, "error")) {
          failed.add(name);
        } else if (has(test, "skipped")) {
          skipped.add(name);
        }
      }
    }
    return new Tests(count, failed, skipped);
  }

  private static boolean has(Element test, String tag) {
    return test.getElementsByTagName(tag).getLength() > 0;
  }

  private static Element xml(Path file) throws IOException {
    try {
      return DocumentBuilderFactory.newInstance()
          .newDocumentBuilder()
          .parse(file.toFile())
          .getDocumentElement();
    } catch (ParserConfigurationException | SAXException e) {
      throw new IOException(file + ": " + e.getMessage(), e);
    }
  }

  private static List<Path> entries(Path folder) throws IOException {
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (Stream<Path> files = Files.list(folder)) {
      return files.sorted().toList();
    }
  }

  private static List<String> lines(Path file) throws IOException {
    return Files.exists(file) ? Files.readAllLines(file) : List.of();
  }

  private static List<JsonNode> jsonLines(Path file) throws IOException {
    List<JsonNode> nodes = new ArrayList<>();
    for (String line : lines(file)) {
      if (line.startsWith("{") && line.endsWith("}")) {
        nodes.add(JSON.readTree(line));
      }
    }
    return nodes;
  }
}
