package convtrain.backend;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.graph.ModelGraph;
import convtrain.graph.ModelSpec;
import convtrain.graph.OptimizerSpec;
import convtrain.plan.Plan;
import convtrain.testing.PlanRun;
import convtrain.testing.SpecJson;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Steps with moments marked between their entries. */
class TimerContractTest extends BackendContract {
  private static final int N = 4;
  private static final int STEPS = 4;
  private static final String MODEL =
      """
      {"input": [1, 6, 6], "layers": [
        {"type": "conv2d", "out_channels": 4, "kernel_size": 3},
        {"type": "batch_norm2d"}, {"type": "relu"}, {"type": "dropout", "p": 0.1},
        {"type": "flatten"}, {"type": "linear", "out_features": 3}]}
      """;

  private static PlanRun run() {
    ModelGraph graph = ModelGraph.of(SpecJson.read(SpecJson.parse(MODEL), ModelSpec.class));
    OptimizerSpec sgd = new OptimizerSpec.Sgd(0.1, 0.9, null, null, null, null);
    PlanRun run = new PlanRun(backend(), graph, sgd, N, 0, 1, PlanRun.constant(STEPS, 0.1, 0.9), 1);
    run.randomBatch(new Random(5));
    return run;
  }

  @Test
  void markedStepsTrainAsPlainOnesDoToTheBit() {
    try (PlanRun plain = run();
        PlanRun timed = run()) {
      Plan plan = plain.plan(N, true);
      Plan marked = timed.plan(N, true);
      try (Timer timer = backend().timer(marked.steps().size() + 1);
          Backend.Replay replay = marked.marked(timer)) {
        for (int step = 0; step < STEPS; step++) {
          plain.step(plan);
          timed.run(replay, N);
        }
        backend().synchronize();
      }
      assertThat(timed.state().step()).isEqualTo(STEPS);
      plain
          .tensors()
          .forEach(
              (name, values) -> assertThat(timed.tensors().get(name)).as(name).isEqualTo(values));
    }
  }

  @Test
  void momentsOfEachRunFollowEachOther() {
    try (PlanRun run = run()) {
      Plan plan = run.plan(N, true);
      int last = plan.steps().size();
      try (Timer timer = backend().timer(last + 1);
          Backend.Replay replay = plan.marked(timer)) {
        for (int step = 0; step < STEPS; step++) {
          run.run(replay, N);
          backend().synchronize();
          long sum = 0;
          for (int i = 0; i < last; i++) {
            long nanos = timer.nanosBetween(i, i + 1);
            assertThat(nanos).as(plan.steps().get(i).label()).isNotNegative();
            sum += nanos;
          }
          assertThat(timer.nanosBetween(0, last)).isPositive();
          // Events' times are floats of milliseconds: each may be rounded by half a microsecond.
          assertThat(Math.abs(timer.nanosBetween(0, last) - sum)).isLessThan(1000L * last);
        }
      }
    }
  }
}
