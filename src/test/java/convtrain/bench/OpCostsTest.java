package convtrain.bench;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.backend.Backend;
import convtrain.backend.cpu.CpuBackend;
import convtrain.graph.ModelGraph;
import convtrain.graph.ModelSpec;
import convtrain.graph.ModelSummary;
import convtrain.graph.OptimizerSpec;
import convtrain.graph.UpdateSpec;
import convtrain.plan.Plan;
import convtrain.plan.Plan.Phase;
import convtrain.testing.PlanRun;
import convtrain.testing.SpecJson;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Every formula, with numbers that were worked out by hand. */
class OpCostsTest {
  private static final int N = 4;

  /** Two images' worth of channels in; 6 x 6 pixels, 3 x 3 behind the pooling. */
  private static final String MODEL =
      """
      {"input": [2, 6, 6], "layers": [
        {"type": "conv2d", "name": "first", "out_channels": 4, "kernel_size": 3, "padding": 1},
        {"type": "batch_norm2d", "name": "bn"}, {"type": "relu"}, {"type": "dropout", "p": 0.1},
        {"type": "max_pool2d", "name": "pool", "kernel_size": 2},
        {"type": "conv2d", "name": "grouped", "out_channels": 4, "kernel_size": [1, 3],
         "padding": [0, 1], "groups": 2, "bias": false},
        {"type": "add", "name": "sum", "inputs": ["grouped", "pool"]},
        {"type": "tanh", "name": "bend"},
        {"type": "global_avg_pool", "name": "mean"},
        {"type": "linear", "name": "last", "out_features": 3}]}
      """;

  private static final OptimizerSpec ADAM = new OptimizerSpec.Adam(0.1, null, null, null, null);
  private static Backend cpu;
  private static PlanRun run;
  private static ModelGraph graph;

  @BeforeAll
  static void open() {
    cpu = new CpuBackend(1);
    graph = ModelGraph.of(SpecJson.read(SpecJson.parse(MODEL), ModelSpec.class));
    run = new PlanRun(cpu, graph, ADAM, N, 0, 1, PlanRun.constant(1, 0.1, 0.9), 1);
  }

  @AfterAll
  static void close() {
    run.close();
    cpu.close();
  }

  private static OpCost cost(Plan plan, Phase phase, String label) {
    Plan.Step step =
        plan.steps().stream()
            .filter(each -> each.phase() == phase && each.label().startsWith(label))
            .findFirst()
            .orElseThrow();
    return new OpCosts(plan, graph, UpdateSpec.of(ADAM)).of(step);
  }

  /**
   * Of 4 samples in fp32, where a sample has 72 values at the input, 144 behind first and bn, 36
   * behind pool, grouped, sum and bend, 4 behind mean, 3 at the end. first: 144 x 2 x 9 = 2,592
   * multiply-adds, 76 parameters; bn: 8, and 8 running; grouped: 36 x 2 x 3 = 216, weight 24; last:
   * 12, weight 12 and bias 3.
   */
  @ParameterizedTest
  @CsvSource({
    "STAGE, batch, 0, 4 * (72 + 4) + 4 * (288 + 4)",
    "FORWARD, first, 20736, 16 * (72 + 144) + 4 * 76",
    "FORWARD, bn, 0, 16 * (144 + 144) + 4 * 16 + 4 * 8",
    "FORWARD, pool, 0, 16 * (144 + 36)",
    "FORWARD, grouped, 1728, 16 * (36 + 36) + 4 * 24",
    "FORWARD, sum, 0, 16 * (36 + 36 + 36)",
    "FORWARD, bend, 0, 16 * (36 + 36)",
    "FORWARD, mean, 0, 16 * (36 + 4)",
    "FORWARD, last, 96, 16 * (4 + 3) + 4 * 15",
    "LOSS, cross, 0, 16 * (3 + 3) + 4 * 4",
    "BACKWARD, last, 192, 16 * (3 + 4 + 4) + 4 * 12 + 4 * 15",
    "BACKWARD, mean, 0, 16 * (4 + 36)",
    "BACKWARD, bend, 0, 16 * (36 + 36 + 36)",
    "BACKWARD, sum, 0, 16 * (36 + 36 + 36)",
    "BACKWARD, grouped, 3456, 16 * (36 + 36 + 36) + 4 * 24 + 4 * 24",
    "BACKWARD, gradient sum of pool, 0, 16 * (36 + 36 + 36)",
    "BACKWARD, pool, 0, 16 * (36 + 144)",
    "BACKWARD, bn, 0, 16 * (144 + 144 + 144) + 4 * 4 + 4 * 8",
    "BACKWARD, first, 20736, 16 * (144 + 72) + 4 * 76",
    "UPDATE, update, 0, 7 * 4 * 123"
  })
  void opsOfATrainingStepCostWhatTheFormulasSay(
      Phase phase, String label, long flops, String bytes) {
    OpCost cost = cost(run.plan(N, true), phase, label);
    assertThat(cost.flops()).isEqualTo(flops);
    assertThat(cost.bytes()).isEqualTo(sum(bytes));
  }

  /** {@code 4 * (72 + 4) + 4 * 15}. */
  private static long sum(String formula) {
    long total = 0;
    for (String term : formula.split(" \\+ (?![^(]*\\))")) {
      long product = 1;
      for (String factor : term.split(" \\* ")) {
        product *=
            List.of(factor.replaceAll("[()]", "").split(" \\+ ")).stream()
                .mapToLong(Long::parseLong)
                .sum();
      }
      total += product;
    }
    return total;
  }

  @Test
  void scoringWritesNoRunningStatisticsAndNoGradient() {
    Plan plan = run.scoringPlan(N);
    assertThat(cost(plan, Phase.FORWARD, "bn").bytes()).isEqualTo(16 * (144 + 144) + 4 * 16);
    assertThat(cost(plan, Phase.LOSS, "cross").bytes()).isEqualTo(16 * 3 + 4 * 4);
  }

  @Test
  void flopsOfAStepAreThreeForwardPassesLessTheGradientOfTheImages() {
    Plan plan = run.plan(N, true);
    ModelSummary summary = ModelSummary.of(graph);
    OpCosts costs = new OpCosts(plan, graph, UpdateSpec.of(ADAM));
    long flops = plan.steps().stream().mapToLong(step -> costs.of(step).flops()).sum();
    long first = summary.rows().get(0).macs();
    assertThat(flops).isEqualTo(N * (6 * summary.macs() - 2 * first));
  }

  @Test
  void anEpochIsItsSamplesShareOfSteps() {
    Plan plan = run.plan(N, true);
    OpCosts costs = new OpCosts(plan, graph, UpdateSpec.of(ADAM));
    long bytes = plan.steps().stream().mapToLong(step -> costs.of(step).bytes()).sum();
    EpochWork epoch = EpochWork.of(plan, graph, UpdateSpec.of(ADAM), 10);
    assertThat(epoch.flops()).isEqualTo(2.5 * (20736 + 1728 + 96 + 192 + 3456 + 20736));
    assertThat(epoch.bytes()).isEqualTo(2.5 * bytes);
  }
}
