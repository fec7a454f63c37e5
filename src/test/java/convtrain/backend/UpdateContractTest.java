package convtrain.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.sun.management.ThreadMXBean;
import convtrain.graph.EmaSpec;
import convtrain.graph.LayerSpec;
import convtrain.graph.LossSpec;
import convtrain.graph.ModelGraph;
import convtrain.graph.ModelSpec;
import convtrain.graph.OptimizerSpec;
import convtrain.graph.Shape;
import convtrain.graph.UpdateSpec;
import convtrain.plan.Plan;
import convtrain.plan.RunState;
import convtrain.testing.Clocks;
import convtrain.testing.Golden;
import convtrain.testing.MnistSample;
import convtrain.testing.PlanRun;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** From gradients to weights over some 20 updates of a small network: PyTorch's course. */
class UpdateContractTest extends BackendContract {
  private static final float MEAN = 0.1307f;
  private static final float STD = 0.3081f;

  /**
   * Of a batch's loss, and of a tensor's value (or of 1, if that is larger). Measured, largest
   * departure from PyTorch's fp64 run: CPU 2.2e-7 of a loss and 1.4e-5 of a value (in {@code
   * all_together}, by adamw at a rate of 0.02; the other runs 2.8e-6), CUDA on the software device
   * 2.9e-8 and 3.6e-7.
   */
  private static final double LOSS_TOLERANCE = 2e-6;

  private static final double TOLERANCE = 5e-5;

  private static final OptimizerSpec STILL =
      new OptimizerSpec.Sgd(0.0, null, null, null, null, null);

  private static final MnistSample SAMPLE = new MnistSample();

  static List<Golden.Case> runs() {
    return Golden.load("updates").cases();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("runs")
  void runsFollowPyTorch(Golden.Case golden) {
    try (PlanRun run = open(golden)) {
      Map<String, double[]> initial = new LinkedHashMap<>();
      golden.group("initial").forEach((name, tensor) -> initial.put(name, tensor.values()));
      run.load(initial);
      double[] losses = golden.tensor("losses").values();
      Batches batches = new Batches(golden, run);
      for (int batch = 0; batch < losses.length; batch++) {
        batches.next();
        assertThat(run.takeMetrics().loss())
            .as("loss of batch %d", batch)
            .isCloseTo(losses[batch], within(LOSS_TOLERANCE * losses[batch]));
      }
      assertThat(Clocks.batches(run.state().fetchClock())).isEqualTo(losses.length);
      golden.group("final").forEach((name, t) -> assertNear(name, run.state().fetch(name), t));
      golden
          .group(golden.words().has("ema") ? "average" : "final")
          .forEach((name, t) -> assertNear(name, run.state().fetchScored(name), t));
      assertThat(scoredLoss(golden, run))
          .isCloseTo(golden.tensor("scored_loss").values()[0], within(TOLERANCE));
    }
  }

  private static PlanRun open(Golden.Case golden) {
    return open(golden, golden.words().get("images").intValue());
  }

  /** For batches of that many images at most. */
  private static PlanRun open(Golden.Case golden, int batchSize) {
    JsonNode words = golden.words();
    OptimizerSpec optimizer = golden.spec("optimizer", OptimizerSpec.class);
    UpdateSpec update =
        new UpdateSpec(
            optimizer,
            words.has("clip_grad_norm") ? words.get("clip_grad_norm").doubleValue() : null,
            words.has("ema") ? golden.spec("ema", EmaSpec.class) : null,
            words.path("accumulate_steps").asInt(1));
    return new PlanRun(
        backend(),
        ModelGraph.of(golden.spec("model", ModelSpec.class)),
        golden.spec("loss", LossSpec.class),
        update,
        batchSize,
        MEAN,
        STD,
        PlanRun.constant(50, optimizer.lr(), optimizer.momentumLike()),
        1);
  }

  /** The images in file order, epoch after epoch; an update each so many, and at an epoch's end. */
  private static final class Batches {
    private final PlanRun run;
    private final int images;
    private final int batchSize;
    private final int accumulateSteps;
    private final Plan full;
    private final Plan last;
    private int done;

    Batches(Golden.Case golden, PlanRun run) {
      this.run = run;
      images = golden.words().get("images").intValue();
      batchSize = golden.words().get("batch_size").intValue();
      accumulateSteps = golden.words().path("accumulate_steps").asInt(1);
      full = run.plan(batchSize, true);
      last = images % batchSize == 0 ? full : run.plan(images % batchSize, true);
    }

    void next(int count) {
      for (int i = 0; i < count; i++) {
        next();
      }
    }

    void next() {
      int perEpoch = (images + batchSize - 1) / batchSize;
      int batch = done++ % perEpoch;
      Plan plan = batch == perEpoch - 1 ? last : full;
      SAMPLE.copy(batch * batchSize, plan.batchSize(), run.images(), run.labels());
      if (batch == perEpoch - 1 || (batch + 1) % accumulateSteps == 0) {
        run.step(plan);
      } else {
        run.accumulate(plan);
      }
    }
  }

  private static double scoredLoss(Golden.Case golden, PlanRun run) {
    int images = golden.words().get("images").intValue();
    Plan plan = run.scoringPlan(images);
    SAMPLE.copy(0, images, run.images(), run.labels());
    run.step(plan);
    return run.takeMetrics().loss();
  }

  private static void assertNear(String name, float[] found, Golden.Tensor expected) {
    for (int i = 0; i < found.length; i++) {
      double value = expected.values()[i];
      double allowed = TOLERANCE * Math.max(1, Math.abs(value));
      assertThat((double) found[i]).as("%s[%d]", name, i).isCloseTo(value, within(allowed));
    }
  }

  @Test
  void runGoesOnToTheBitFromItsStateOnTheHost() {
    Golden.Case golden = Golden.load("updates").named("all_together");
    try (PlanRun run = open(golden);
        PlanRun resumed = open(golden)) {
      Batches batches = new Batches(golden, run);
      // An update is of two batches: the cut leaves one batch's gradients waiting.
      batches.next(7);
      resumed.state().initialize(99);
      copy(run.state(), resumed.state());
      Batches rest = new Batches(golden, resumed);
      rest.done = 7;
      batches.next(12);
      rest.next(12);
      backend().synchronize();
      assertThat(resumed.state().metrics()).isEqualTo(run.state().metrics());
      assertThat(resumed.state().fetchClock()).isEqualTo(run.state().fetchClock());
      Map<String, List<Integer>> tensors = run.state().stateTensors();
      // Values, averages, two moments and the sum of 7 trained tensors; 2 statistics and averages.
      assertThat(tensors).hasSize(5 * 7 + 2 * 2);
      for (String name : tensors.keySet()) {
        float[] expected = run.state().fetchState(name);
        assertThat(resumed.state().fetchState(name)).as(name).isEqualTo(expected);
      }
    }
  }

  @Test
  void batchesOfOneUpdateDropWhatTheirOwnMasksSay() {
    List<LayerSpec> layers =
        List.of(
            new LayerSpec.Flatten(null, null),
            new LayerSpec.Dropout(null, null, 0.5),
            new LayerSpec.Linear("fc", null, 10, null, null));
    ModelGraph graph = ModelGraph.of(new ModelSpec(Shape.image(1, 28, 28), layers));
    UpdateSpec update = new UpdateSpec(STILL, null, null, 3);
    float[] rates = PlanRun.constant(4, 0, 0);
    LossSpec loss = LossSpec.crossEntropy();
    try (PlanRun run = new PlanRun(backend(), graph, loss, update, 8, MEAN, STD, rates, 1)) {
      Plan plan = run.plan(8, true);
      SAMPLE.copy(0, 8, run.images(), run.labels());
      List<float[]> gradients = new ArrayList<>();
      for (int batch = 0; batch < 6; batch++) {
        if (batch % 3 == 2) {
          run.step(plan);
        } else {
          run.accumulate(plan);
        }
        backend().synchronize();
        gradients.add(run.state().fetchGradient("fc.weight"));
      }
      assertThat(gradients).doesNotHaveDuplicates();
    }
  }

  @Test
  void accumulatingClippingAndAveragingAllocateNothingOnTheJavaHeap() {
    Golden.Case golden = Golden.load("updates").named("all_together");
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    try (PlanRun run = open(golden, 16)) {
      Plan plan = run.plan(16, true);
      SAMPLE.copy(0, 16, run.images(), run.labels());
      int pairs = 20;
      run.startPass(16, 4 * pairs);
      runPairs(run, plan, pairs);
      long before = threads.getCurrentThreadAllocatedBytes();
      runPairs(run, plan, pairs);
      long allocated = threads.getCurrentThreadAllocatedBytes() - before;
      // What the measurement itself allocates; a buffer view or a boxed value each is 640 or more.
      assertThat(allocated).as("bytes in %d steps", 2 * pairs).isLessThan(640);
    }
  }

  private static void runPairs(PlanRun run, Plan plan, int pairs) {
    for (int i = 0; i < pairs; i++) {
      run.nextAccumulation(plan);
      run.nextStep(plan);
    }
  }

  private static void copy(RunState from, RunState to) {
    backend().synchronize();
    from.stateTensors().forEach((name, dims) -> to.loadState(name, dims, from.fetchState(name)));
    to.loadClock(from.fetchClock());
    to.loadMetrics(from.metrics());
  }
}
