package convtrain.backend;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import convtrain.config.RunConfig;
import convtrain.config.RunConfigLoader;
import convtrain.graph.ModelGraph;
import convtrain.plan.Plan;
import convtrain.testing.MnistSample;
import convtrain.testing.PlanRun;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Steps with 16-bit activations on real images. */
class ReducedTrainingTest extends ReducedContract {
  private static PlanRun shipped(int batch, int steps, long seed) {
    RunConfig config = RunConfigLoader.load(Path.of("configs/mnist-19k.json"), List.of());
    return new PlanRun(
        backend(),
        ModelGraph.of(config.model()),
        config.train().optimizer(),
        batch,
        0.1307f,
        0.3081f,
        PlanRun.constant(steps, 0.03, 0.9),
        seed);
  }

  private static Map<String, float[]> steps(long seed) {
    try (PlanRun run = shipped(7, 5, seed)) {
      Plan plan = run.plan(7, true);
      MnistSample sample = new MnistSample();
      for (int step = 0; step < 5; step++) {
        sample.copy(7 * step, 7, run.images(), run.labels());
        run.step(plan);
      }
      backend().synchronize();
      return run.tensors();
    }
  }

  static Stream<Path> runFiles() throws IOException {
    return ShippedPlansContractTest.runFiles();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("runFiles")
  void noLayerOfAShippedNetworkFallsBackToAReferenceImplementation(Path file) {
    Assumptions.assumeTrue(way.provider().name().equals("cpu"), "oneDNN alone has such");
    assertThat(ShippedPlansContractTest.fallbacks(backend(), file)).isEmpty();
  }

  @Test
  void sameSeedGivesTheSameWeightsToTheBit() {
    Map<String, float[]> first = steps(1);
    Map<String, float[]> second = steps(1);
    first.forEach((name, values) -> assertThat(second.get(name)).as(name).isEqualTo(values));
    assertThat(steps(2).get("conv5.weight")).isNotEqualTo(first.get("conv5.weight"));
  }

  @Test
  void stepsAllocateNothingOnTheJavaHeap() {
    int steps = 50;
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    try (PlanRun run = shipped(2, 200, 1)) {
      Plan plan = run.plan(2, true);
      new MnistSample().copy(0, 2, run.images(), run.labels());
      run.startPass(2, 2 * steps);
      for (int step = 0; step < steps; step++) {
        run.nextStep(plan);
      }
      long before = threads.getCurrentThreadAllocatedBytes();
      for (int step = 0; step < steps; step++) {
        run.nextStep(plan);
      }
      long allocated = threads.getCurrentThreadAllocatedBytes() - before;
      // What the measurement itself allocates; a buffer view or a boxed value a step is 800 or
      // more.
      assertThat(allocated).as("bytes in %d steps", steps).isLessThan(800);
    }
  }
}
