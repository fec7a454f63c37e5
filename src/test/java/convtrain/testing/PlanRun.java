package convtrain.testing;

import convtrain.backend.Backend;
import convtrain.backend.OpFactory.HostBatch;
import convtrain.backend.OpFactory.Normalization;
import convtrain.backend.StepMetrics;
import convtrain.graph.ModelGraph;
import convtrain.graph.OptimizerSpec;
import convtrain.plan.Plan;
import convtrain.plan.PlanCompiler;
import convtrain.plan.RunState;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Training plans over one run state, without a trainer: the test gives each batch. */
public final class PlanRun implements AutoCloseable {
  private final Backend backend;
  private final ModelGraph graph;
  private final OptimizerSpec optimizer;
  private final Normalization normalization;
  private final HostBatch host;
  private final RunState state;
  private final long seed;
  private final List<Plan> plans = new ArrayList<>();

  /**
   * @param batchSize of the largest batch
   * @param mean of every channel; likewise {@code std}
   * @param rates two floats per step: learning rate, momentum
   */
  public PlanRun(
      Backend backend,
      ModelGraph graph,
      OptimizerSpec optimizer,
      int batchSize,
      float mean,
      float std,
      float[] rates,
      long seed) {
    this.backend = backend;
    this.graph = graph;
    this.optimizer = optimizer;
    this.seed = seed;
    int channels = graph.input().channels();
    normalization = new Normalization(graph.input(), filled(channels, mean), filled(channels, std));
    host =
        new HostBatch(
            backend.hostBuffer(batchSize * graph.input().elements()),
            backend.hostBuffer(batchSize * Integer.BYTES));
    state = new RunState(backend, graph, batchSize, optimizer, rates.length / 2);
    state.setSchedule(rates);
    state.initialize(seed);
  }

  /** A schedule of one learning rate and momentum. */
  public static float[] constant(int steps, double lr, double momentum) {
    float[] rates = new float[2 * steps];
    for (int i = 0; i < steps; i++) {
      rates[2 * i] = (float) lr;
      rates[2 * i + 1] = (float) momentum;
    }
    return rates;
  }

  private static float[] filled(int channels, float value) {
    float[] values = new float[channels];
    Arrays.fill(values, value);
    return values;
  }

  /** A plan for a batch size; closed with this. */
  public Plan plan(int n, boolean training) {
    Plan plan =
        PlanCompiler.compile(
            backend,
            graph,
            state,
            new PlanCompiler.Options(n, training ? optimizer : null, normalization, host, seed));
    plans.add(plan);
    return plan;
  }

  /** Sets every tensor of the network. */
  public void load(Map<String, double[]> tensors) {
    state
        .tensors()
        .forEach((name, dims) -> state.load(name, dims, DeviceFloats.floats(tensors.get(name))));
  }

  /** Fills the batch with random bytes and classes. */
  public void randomBatch(Random random) {
    byte[] bytes = new byte[host.images().capacity()];
    random.nextBytes(bytes);
    host.images().put(0, bytes);
    for (int i = 0; i < host.labels().capacity() / Integer.BYTES; i++) {
      host.labels().putInt(i * Integer.BYTES, random.nextInt(graph.classes()));
    }
  }

  /** The batch as the network's input [N, C, H, W], in fp32 as documented. */
  public double[] x(int n) {
    double[] x = new double[n * graph.input().elements()];
    float mean = normalization.mean()[0];
    float std = normalization.std()[0];
    for (int i = 0; i < x.length; i++) {
      x[i] = ((host.images().get(i) & 0xFF) / 255f - mean) / std;
    }
    return x;
  }

  public int[] labels(int n) {
    int[] labels = new int[n];
    Arrays.setAll(labels, i -> host.labels().getInt(i * Integer.BYTES));
    return labels;
  }

  public ByteBuffer images() {
    return host.images();
  }

  public ByteBuffer labels() {
    return host.labels();
  }

  public RunState state() {
    return state;
  }

  /** The sums since the last call. */
  public StepMetrics takeMetrics() {
    backend.synchronize();
    StepMetrics metrics = state.metrics();
    state.clearMetrics();
    return metrics;
  }

  /** Every tensor of the network as it stands. */
  public Map<String, float[]> tensors() {
    Map<String, float[]> tensors = new LinkedHashMap<>();
    state.tensors().keySet().forEach(name -> tensors.put(name, state.fetch(name)));
    return tensors;
  }

  @Override
  public void close() {
    for (int i = plans.size() - 1; i >= 0; i--) {
      plans.get(i).close();
    }
    state.close();
  }
}
