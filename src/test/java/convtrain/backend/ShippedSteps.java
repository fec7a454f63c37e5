package convtrain.backend;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import convtrain.config.RunConfig;
import convtrain.config.RunConfigLoader;
import convtrain.graph.ModelGraph;
import convtrain.plan.Plan;
import convtrain.testing.MnistSample;
import convtrain.testing.PlanRun;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/** Steps of the shipped network, with its dropout, on real images. */
final class ShippedSteps {
  static final float MEAN = 0.1307f;
  static final float STD = 0.3081f;

  private final Backend backend;
  private final int batch;

  ShippedSteps(Backend backend, int batch) {
    this.backend = backend;
    this.batch = batch;
  }

  private PlanRun open(int steps, long seed) {
    RunConfig config = RunConfigLoader.load(Path.of("configs/mnist-19k.json"), List.of());
    return new PlanRun(
        backend,
        ModelGraph.of(config.model()),
        config.train().optimizer(),
        batch,
        MEAN,
        STD,
        PlanRun.constant(steps, 0.03, 0.9),
        seed);
  }

  /** All tensors after so many steps. */
  Map<String, float[]> after(int steps, long seed) {
    try (PlanRun run = open(steps, seed)) {
      Plan plan = run.plan(batch, true);
      MnistSample sample = new MnistSample();
      for (int step = 0; step < steps; step++) {
        sample.copy(batch * step, batch, run.images(), run.labels());
        run.step(plan);
      }
      backend.synchronize();
      return run.tensors();
    }
  }

  /** Fails unless the same seed gives the same bits, and another one others. */
  void assertRepeatable(int steps) {
    Map<String, float[]> first = after(steps, 1);
    Map<String, float[]> second = after(steps, 1);
    first.forEach((name, values) -> assertThat(second.get(name)).as(name).isEqualTo(values));
    String weight = "conv5.weight";
    assertThat(after(steps, 2).get(weight)).isNotEqualTo(first.get(weight));
  }

  /** Fails if steps allocate on the Java heap. */
  void assertNothingAllocated() {
    int steps = 50;
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    try (PlanRun run = open(200, 1)) {
      Plan plan = run.plan(batch, true);
      new MnistSample().copy(0, batch, run.images(), run.labels());
      run.startPass(batch, 2 * steps);
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
