package convtrain.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import convtrain.backend.Backend;
import convtrain.graph.EmaSpec;
import convtrain.graph.LayerSpec;
import convtrain.graph.LossSpec;
import convtrain.graph.ModelGraph;
import convtrain.graph.ModelSpec;
import convtrain.graph.OptimizerSpec;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import convtrain.graph.UpdateSpec;
import convtrain.plan.Plan;
import convtrain.softcuda.SoftCuda;
import convtrain.testing.PlanRun;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What the backend's options change. */
class CudaBackendTest {
  private static final OptimizerSpec SGD = new OptimizerSpec.Sgd(0.1, null, null, null, null, null);
  private static final int BATCH = 2;

  @BeforeEach
  void softwareDevice() {
    SoftCuda.assumeAvailable();
    SoftCuda.control();
  }

  private static Backend open(boolean graph, boolean debugSync) {
    Backend.Provider provider = new CudaBackend.Provider();
    return provider.open(new Backend.Options(0, Precision.FP32, true, graph, debugSync));
  }

  private static PlanRun run(Backend backend) {
    return run(backend, UpdateSpec.of(SGD));
  }

  private static PlanRun run(Backend backend, UpdateSpec update) {
    List<LayerSpec> layers =
        List.of(
            new LayerSpec.Flatten(null, null),
            new LayerSpec.Linear("fc1", null, 5, null, null),
            new LayerSpec.Tanh("squash", null),
            new LayerSpec.Linear("fc2", null, 3, null, null));
    ModelGraph graph = ModelGraph.of(new ModelSpec(Shape.image(1, 2, 3), layers));
    float[] rates = PlanRun.constant(4, 0.1, 0);
    LossSpec loss = LossSpec.crossEntropy();
    PlanRun run = new PlanRun(backend, graph, loss, update, BATCH, 0.5f, 1, rates, 7);
    run.randomBatch(new Random(1));
    return run;
  }

  /** Launches by one call in each of three steps. */
  private static int[] launches(boolean graph, boolean debugSync) {
    try (Backend backend = open(graph, debugSync);
        PlanRun run = run(backend)) {
      Plan plan = run.plan(BATCH, true);
      int[] launches = new int[3];
      for (int i = 0; i < launches.length; i++) {
        run.step(plan);
        launches[i] = plan.launches();
      }
      return launches;
    }
  }

  @Test
  void stepIsOneLaunchOfManyFromItsSecondRunOn() {
    int[] captured = launches(true, false);
    assertThat(captured[0]).isZero();
    assertThat(captured[1]).isBetween(8, 60);
    assertThat(captured[2]).isEqualTo(captured[1]);
    assertThat(launches(false, false)).containsOnly(0);
  }

  @Test
  void stepWhoseOpsAreWaitedForIsNotCaptured() {
    assertThat(launches(true, true)).containsOnly(0);
    assertThat(SoftCuda.violations()).isEmpty();
  }

  /** What is trained after eight batches, an update for each two of them. */
  private static Map<String, float[]> pairs(boolean graph) {
    SoftCuda.control();
    UpdateSpec update = new UpdateSpec(SGD, 0.1, new EmaSpec(0.5, 1), 2);
    try (Backend backend = open(graph, false);
        PlanRun run = run(backend, update)) {
      Plan plan = run.plan(BATCH, true);
      for (int i = 0; i < 4; i++) {
        run.accumulate(plan);
        run.step(plan);
      }
      backend.synchronize();
      Map<String, float[]> state = new LinkedHashMap<>();
      run.state().stateTensors().keySet().forEach(n -> state.put(n, run.state().fetchState(n)));
      return state;
    }
  }

  @Test
  void stepsWithAndWithoutUpdateAreCapturedEachAndGiveTheBitsOfEagerOnes() {
    Map<String, float[]> eager = pairs(false);
    assertThat(SoftCuda.calls("cuGraphLaunch")).isZero();
    Map<String, float[]> captured = pairs(true);
    // All but the first of each kind.
    assertThat(SoftCuda.calls("cuGraphLaunch")).isEqualTo(6);
    assertThat(SoftCuda.violations()).isEmpty();
    assertThat(captured).containsOnlyKeys(eager.keySet());
    eager.forEach((name, values) -> assertThat(captured.get(name)).as(name).isEqualTo(values));
  }

  /** Runs one step, whose enqueued work of that number fails; 0 for none. */
  private static Throwable failure(boolean debugSync, long work) {
    SoftCuda.control(work == 0 ? "seed=1" : "fail=execution:" + work + ":700");
    return catchThrowable(
        () -> {
          try (Backend backend = open(false, debugSync);
              PlanRun run = run(backend)) {
            Plan plan = run.plan(BATCH, true);
            backend.synchronize();
            run.step(plan);
            backend.synchronize();
          }
        });
  }

  @Test
  void debugSyncNamesTheOpThatFailed() {
    assertThat(failure(true, 0)).isNull();
    long last = SoftCuda.calls("executed");
    Throwable found = null;
    for (long work = last; found == null || !isOf("fc1 (linear) backward", found); work--) {
      assertThat(work).as("a failure of every op was tried").isPositive();
      found = failure(true, work);
    }
    assertThat(found)
        .hasMessageStartingWith(
            "fc1 (linear) backward on cuda: cuStreamSynchronize: CUDA_ERROR_ILLEGAL_ADDRESS");
  }

  private static boolean isOf(String place, Throwable failure) {
    return failure.getMessage() != null && failure.getMessage().startsWith(place);
  }

  @Test
  void hostMemoryIsZeroedAndEndsWithTheBackend() {
    try (Backend backend = open(true, false)) {
      ByteBuffer bytes = backend.hostBuffer(1000);
      assertThat(bytes.remaining()).isEqualTo(1000);
      while (bytes.hasRemaining()) {
        assertThat(bytes.get()).isZero();
      }
    }
    assertThat(SoftCuda.leaks()).isEmpty();
    assertThat(SoftCuda.violations()).isEmpty();
  }
}
