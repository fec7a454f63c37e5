package convtrain.plan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import convtrain.backend.Backend;
import convtrain.backend.DeviceMemoryException;
import convtrain.backend.cpu.CpuBackend;
import convtrain.config.RunConfigLoader;
import convtrain.graph.LossSpec;
import convtrain.graph.ModelGraph;
import convtrain.graph.ModelSpec;
import convtrain.graph.OptimizerSpec;
import convtrain.graph.UpdateSpec;
import convtrain.plan.Plan.Phase;
import convtrain.testing.PlanRun;
import convtrain.testing.SpecJson;
import convtrain.testing.WatchedBackend;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which steps a plan is made of, and what becomes of failures. */
class PlanCompilerTest {
  private static Backend cpu;

  @BeforeAll
  static void open() {
    cpu = new CpuBackend(2);
  }

  @AfterAll
  static void close() {
    cpu.close();
  }

  private static ModelGraph graph(String layers) {
    String model = "{\"input\": [2, 6, 6], \"layers\": [" + layers.replace('\'', '"') + "]}";
    return ModelGraph.of(SpecJson.read(SpecJson.parse(model), ModelSpec.class));
  }

  private static PlanRun run(Backend backend, ModelGraph graph) {
    return run(backend, graph, 4);
  }

  private static PlanRun run(Backend backend, ModelGraph graph, int batchSize) {
    OptimizerSpec sgd = new OptimizerSpec.Sgd(0.1, 0.9, null, null, null, null);
    return new PlanRun(backend, graph, sgd, batchSize, 0, 1, PlanRun.constant(10, 0.1, 0.9), 1);
  }

  private static PlanRun run(Backend backend, ModelGraph graph, LossSpec loss) {
    OptimizerSpec sgd = new OptimizerSpec.Sgd(0.1, 0.9, null, null, null, null);
    return new PlanRun(
        backend, graph, loss, UpdateSpec.of(sgd), 4, 0, 1, PlanRun.constant(10, 0.1, 0.9), 1);
  }

  private static List<String> labels(Plan plan, Phase phase) {
    return plan.steps().stream().filter(s -> s.phase() == phase).map(Plan.Step::label).toList();
  }

  private static final String CONV = "{'type': 'conv2d', 'out_channels': 3, 'kernel_size': 1}";
  private static final String HEAD =
      "{'type': 'global_avg_pool'}, {'type': 'linear', 'out_features': 2}";

  @Test
  void batchNormTakesTheReluAndDropoutBehindIt() {
    ModelGraph graph =
        graph(
            CONV
                + ", {'type': 'batch_norm2d', 'name': 'bn'}, {'type': 'relu'}, {'type': 'dropout'},"
                + HEAD);
    try (PlanRun run = run(cpu, graph)) {
      Plan plan = run.plan(4, true);
      String fused = "bn (batch_norm2d) + relu1 (relu) + dropout1 (dropout)";
      assertThat(labels(plan, Phase.STAGE)).containsExactly("batch");
      assertThat(labels(plan, Phase.FORWARD))
          .containsExactly(
              "conv2d1 (conv2d)", fused, "global_avg_pool1 (global_avg_pool)", "linear1 (linear)");
      assertThat(labels(plan, Phase.LOSS)).containsExactly("cross_entropy");
      assertThat(labels(plan, Phase.BACKWARD))
          .containsExactly(
              "linear1 (linear)", "global_avg_pool1 (global_avg_pool)", fused, "conv2d1 (conv2d)");
      assertThat(labels(plan, Phase.UPDATE)).containsExactly("update");
      assertThat(plan.batchSize()).isEqualTo(4);
    }
  }

  @Test
  void batchNormThatIsReadTwiceStaysAlone() {
    ModelGraph graph =
        graph(
            CONV
                + ", {'type': 'batch_norm2d', 'name': 'bn'}, {'type': 'relu', 'name': 'r'},"
                + "{'type': 'add', 'inputs': ['bn', 'r']}, "
                + HEAD);
    try (PlanRun run = run(cpu, graph)) {
      Plan plan = run.plan(4, true);
      assertThat(labels(plan, Phase.FORWARD)).contains("bn (batch_norm2d)", "r (relu)");
      assertThat(labels(plan, Phase.BACKWARD))
          .containsSubsequence(
              "r (relu)", "gradient sum of bn (batch_norm2d)", "bn (batch_norm2d)");
    }
  }

  @Test
  void evaluationEndsWithTheLoss() {
    try (PlanRun run = run(cpu, graph(CONV + ", " + HEAD))) {
      Plan plan = run.plan(4, false);
      assertThat(labels(plan, Phase.FORWARD)).hasSize(3);
      assertThat(labels(plan, Phase.LOSS)).hasSize(1);
      assertThat(labels(plan, Phase.BACKWARD)).isEmpty();
      assertThat(labels(plan, Phase.UPDATE)).isEmpty();
    }
  }

  @Test
  void layersBeforeTheFirstTrainedOneHaveNoBackwardPass() {
    ModelGraph graph =
        graph(
            "{'type': 'max_pool2d', 'kernel_size': 2}, {'type': 'flatten'}, "
                + "{'type': 'linear', 'out_features': 2}");
    try (PlanRun run = run(cpu, graph)) {
      assertThat(labels(run.plan(4, true), Phase.BACKWARD)).containsExactly("linear1 (linear)");
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"softmax", "log_softmax"})
  void finalSoftmaxIsLeftToTheLoss(String type) {
    float[] bare = new float[8];
    float[] written = new float[8];
    for (boolean training : new boolean[] {true, false}) {
      try (PlanRun a = run(cpu, graph(CONV + ", " + HEAD));
          PlanRun b = run(cpu, graph(CONV + ", " + HEAD + ", {'type': '" + type + "'}"))) {
        Plan plan = a.plan(4, training);
        Plan withSoftmax = b.plan(4, training);
        assertThat(labels(withSoftmax, Phase.FORWARD)).isEqualTo(labels(plan, Phase.FORWARD));
        a.randomBatch(new Random(1));
        b.randomBatch(new Random(1));
        a.step(plan);
        b.step(withSoftmax);
        plan.readLogits(bare);
        withSoftmax.readLogits(written);
        assertThat(written).isEqualTo(bare);
        assertThat(b.takeMetrics()).isEqualTo(a.takeMetrics());
      }
    }
  }

  @Test
  void squaredErrorWorksOnTheFinalSoftmaxToo() {
    ModelGraph graph = graph(CONV + ", " + HEAD + ", {'type': 'softmax'}");
    try (PlanRun run = run(cpu, graph, new LossSpec.Mse())) {
      Plan plan = run.plan(4, true);
      assertThat(labels(plan, Phase.FORWARD)).last().isEqualTo("softmax1 (softmax)");
      assertThat(labels(plan, Phase.LOSS)).containsExactly("mse");
      assertThat(labels(plan, Phase.BACKWARD)).first().isEqualTo("softmax1 (softmax)");
      run.randomBatch(new Random(1));
      run.step(plan);
      float[] y = new float[8];
      plan.readLogits(y);
      assertThat(y[0] + y[1]).isCloseTo(1, within(1e-6f));
      double squares = 0;
      for (int i = 0; i < y.length; i++) {
        squares += Math.pow(y[i] - (run.labels(4)[i / 2] == i % 2 ? 1 : 0), 2);
      }
      assertThat(run.takeMetrics().loss()).isCloseTo(squares / y.length, within(1e-6));
    }
  }

  @Test
  void logitsAreReadIntoAnArrayWithRoomForMore() {
    try (PlanRun run = run(cpu, graph(CONV + ", " + HEAD))) {
      Plan plan = run.plan(3, false);
      run.step(plan);
      float[] logits = new float[20];
      logits[6] = 5;
      plan.readLogits(logits);
      assertThat(logits[5]).isNotZero();
      assertThat(logits[6]).isEqualTo(5);
    }
  }

  @ParameterizedTest
  @CsvSource({"lenet5, 12, 0", "resnet-tiny, 26, 3"})
  void shippedNetworksCompile(String config, int ops, int sums) {
    var run = RunConfigLoader.load(Path.of("configs", config + ".json"), List.of());
    try (PlanRun plans = run(cpu, ModelGraph.of(run.model()))) {
      Plan plan = plans.plan(4, true);
      assertThat(labels(plan, Phase.FORWARD)).hasSize(ops);
      assertThat(labels(plan, Phase.BACKWARD))
          .hasSize(ops + sums)
          .filteredOn(label -> label.startsWith("gradient sum"))
          .hasSize(sums);
    }
  }

  /** A chain of 30 convolutions must not need 30 times the memory of one. */
  @Test
  void evaluationKeepsOnlyWhatIsReadAgain() {
    String chain = CONV + (", " + CONV).repeat(29) + ", " + HEAD;
    try (PlanRun one = run(cpu, graph(CONV + ", " + CONV + ", " + HEAD));
        PlanRun many = run(cpu, graph(chain))) {
      assertThat(many.plan(4, false).arenaBytes())
          .isLessThanOrEqualTo(one.plan(4, false).arenaBytes());
      assertThat(many.plan(4, true).arenaBytes())
          .isGreaterThanOrEqualTo(one.plan(4, true).arenaBytes() + 28 * 4 * 3 * 36 * 4);
    }
  }

  @Test
  void failureInAnOpNamesLayerPhaseAndDevice() {
    WatchedBackend backend = new WatchedBackend(cpu);
    try (PlanRun run = run(backend, graph(CONV + ", " + HEAD))) {
      Plan plan = run.plan(4, true);
      backend.failIn("backward");
      assertThatThrownBy(plan::step)
          .isInstanceOf(PlanException.class)
          .hasMessage("linear1 (linear) backward on cpu: status 7")
          .hasCauseInstanceOf(IllegalArgumentException.class);
      backend.failIn("forward");
      assertThatThrownBy(plan::step).hasMessage("batch stage on cpu: status 7");
    }
  }

  @Test
  void closedPlanDoesNotRun() {
    WatchedBackend backend = new WatchedBackend(cpu);
    try (PlanRun run = run(backend, graph(CONV + ", " + HEAD))) {
      long before = backend.openBuffers();
      Plan plan = run.plan(4, true);
      plan.close();
      assertThatThrownBy(plan::step)
          .isInstanceOf(IllegalStateException.class)
          .hasMessage("this plan was closed");
      plan.close();
      assertThat(backend.openOps()).isZero();
      assertThat(backend.openBuffers()).isEqualTo(before);
    }
    assertThat(backend.openBuffers()).isZero();
  }

  @Test
  void planThatDoesNotFitNamesItsLargestLayersAndTheBatchSizeThatWould() {
    WatchedBackend backend = new WatchedBackend(cpu);
    try (PlanRun run = run(backend, graph(CONV + ", " + HEAD), 32)) {
      long state = run.state().bytes();
      Plan fitting = run.plan(16, true);
      long half = fitting.arenaBytes();
      fitting.close();
      long open = backend.openBuffers();
      backend.limitMemory(state + half);
      assertThatThrownBy(() -> run.plan(32, true))
          .isInstanceOf(PlanException.class)
          .hasMessageStartingWith("training at batch size 32 needs ")
          .hasMessageContaining(" most goes to: conv2d1 (conv2d) ")
          .hasMessageEndingWith(
              "; a plan of batch size 16 fits: try train.batch_size=16, or less, for scoring and an"
                  + " epoch's last smaller batch take memory beside it");
      backend.limitMemory(state);
      assertThatThrownBy(() -> run.plan(32, true))
          .hasMessageContaining("0.0 MiB are free on cpu")
          .hasMessageEndingWith(
              "no batch size fits: use a smaller model or free memory on the device");
      // The run file has no say in the batches that are scored.
      assertThatThrownBy(() -> run.plan(32, false))
          .hasMessageStartingWith("scoring at batch size 32 needs ")
          .hasMessageEndingWith("; use a smaller model or free memory on the device");
      assertThat(backend.openOps()).isZero();
      assertThat(backend.openBuffers()).isEqualTo(open);
    }
  }

  @Test
  void whatFailsInSearchOfABatchSizeThatFitsDoesNotHideWhatWasWanted() {
    WatchedBackend backend = new WatchedBackend(cpu);
    try (PlanRun run = run(backend, graph(CONV + ", " + HEAD), 32)) {
      backend.limitMemory(run.state().bytes());
      // The plan's three ops are made; the first one of a smaller batch is not.
      backend.failAtCall(3);
      assertThatThrownBy(() -> run.plan(32, true))
          .hasMessageStartingWith("training at batch size 32 needs ")
          .hasMessageEndingWith(
              "no batch size fits: use a smaller model or free memory on the device");
      assertThat(backend.openOps()).isZero();
    }
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "conv2d | conv2d1 (conv2d) with input [[2, 6, 6]] and batch size 32 cannot be made on cpu",
        "bind | conv2d1 (conv2d) with input [[2, 6, 6]] and batch size 32 cannot be made on cpu",
        "update | training at batch size 32 cannot be made on cpu"
      })
  void opThatLacksMemoryIsAdvisedToo(String method, String where) {
    WatchedBackend backend = new WatchedBackend(cpu);
    try (PlanRun run = run(backend, graph(CONV + ", " + HEAD), 32)) {
      long open = backend.openBuffers();
      backend.limitBatch(8, method);
      assertThatThrownBy(() -> run.plan(32, true))
          .isInstanceOf(PlanException.class)
          .hasMessageStartingWith(
              where + ": out of device memory: 3.0 MiB asked for, 1.0 MiB free; ")
          .hasMessageContaining("; a plan of batch size 8 fits: try train.batch_size=8, or less, ")
          .hasCauseInstanceOf(DeviceMemoryException.class);
      assertThat(backend.openOps()).isZero();
      assertThat(backend.openBuffers()).isEqualTo(open);
    }
  }

  @Test
  void failedCompilationReleasesWhatWasMade() {
    ModelGraph graph =
        graph(
            CONV
                + ", {'type': 'batch_norm2d'}, {'type': 'relu', 'name': 'a'}, "
                + "{'type': 'conv2d', 'name': 'b', 'out_channels': 3, 'kernel_size': 1},"
                + "{'type': 'add', 'inputs': ['a', 'b']}, "
                + HEAD);
    WatchedBackend whole = new WatchedBackend(cpu);
    try (PlanRun run = run(whole, graph)) {
      run.plan(4, true);
    }
    // 6 layers made and bound; batch, loss, gradient sum, update.
    assertThat(whole.calls()).isEqualTo(2 * 6 + 4);
    for (int call = 0; call < whole.calls(); call++) {
      WatchedBackend backend = new WatchedBackend(cpu);
      try (PlanRun run = run(backend, graph)) {
        long before = backend.openBuffers();
        backend.failAtCall(call);
        assertThatThrownBy(() -> run.plan(4, true)).hasMessageContaining("told to fail");
        assertThat(backend.openOps()).as("ops left at call %d", call).isZero();
        assertThat(backend.openBuffers()).as("buffers left at call %d", call).isEqualTo(before);
      }
    }
  }
}
