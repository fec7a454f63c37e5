package convtrain.backend;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.config.RunConfig;
import convtrain.config.RunConfigLoader;
import convtrain.graph.ModelGraph;
import convtrain.plan.Plan;
import convtrain.testing.PlanRun;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What each shipped network's plans run. */
class ShippedPlansContractTest extends BackendContract {
  private static final int TRAINING_IMAGES = 60_000;
  private static final int EVALUATION_BATCH = 500;

  static Stream<Path> runFiles() throws IOException {
    try (Stream<Path> files = Files.list(Path.of("configs"))) {
      return files
          .filter(Files::isRegularFile)
          .filter(file -> !file.endsWith("backprop.json")) // a worksheet
          .sorted()
          .toList()
          .stream();
    }
  }

  /** A library's reference loops are a thousand times slower than its kernels. */
  @ParameterizedTest(name = "{0}")
  @MethodSource("runFiles")
  void noLayerFallsBackToAReferenceImplementation(Path file) {
    assertThat(fallbacks(backend(), file)).isEmpty();
  }

  /** The slow implementations that a run file's network has on a backend. */
  static Set<String> fallbacks(Backend backend, Path file) {
    RunConfig config = RunConfigLoader.load(file, List.of());
    ModelGraph graph = ModelGraph.of(config.model());
    int batch = config.train().batchSize();
    try (PlanRun run =
        new PlanRun(
            backend,
            graph,
            config.train().optimizer(),
            EVALUATION_BATCH,
            0,
            1,
            PlanRun.constant(1, 0, 0),
            1)) {
      Set<String> slow = new LinkedHashSet<>();
      for (int n : new int[] {batch, TRAINING_IMAGES % batch}) {
        slow.addAll(fallbacks(run.plan(n, true)));
      }
      for (int n : new int[] {EVALUATION_BATCH, batch}) {
        slow.addAll(fallbacks(run.plan(n, false)));
      }
      return slow;
    }
  }

  private static Set<String> fallbacks(Plan plan) {
    Set<String> slow = new LinkedHashSet<>();
    for (Plan.Step step : plan.steps()) {
      String implementation = step.op().implementation();
      if (Arrays.stream(implementation.split(" \\| |[+:]"))
          .anyMatch(ShippedPlansContractTest::isSlow)) {
        slow.add(
            "%s %s, batch of %d: %s"
                .formatted(step.label(), step.phase(), plan.batchSize(), implementation));
      }
    }
    return slow;
  }

  /** Reference loops, and batch norm without vector code. */
  private static boolean isSlow(String part) {
    return part.startsWith("ref") || part.equals("nspc_bnorm");
  }
}
