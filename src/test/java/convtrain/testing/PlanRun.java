package convtrain.testing;

import convtrain.backend.Backend;
import convtrain.backend.Feed;
import convtrain.backend.Normalization;
import convtrain.backend.StepMetrics;
import convtrain.graph.DataPlacement;
import convtrain.graph.LossSpec;
import convtrain.graph.ModelGraph;
import convtrain.graph.OptimizerSpec;
import convtrain.graph.UpdateSpec;
import convtrain.plan.Plan;
import convtrain.plan.PlanCompiler;
import convtrain.plan.PlanOptions;
import convtrain.plan.RunState;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
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
  private final LossSpec loss;
  private final Normalization normalization;
  private final ByteBuffer images;
  private final ByteBuffer labels;
  private final Feed feed;
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
      LossSpec loss,
      UpdateSpec update,
      int batchSize,
      float mean,
      float std,
      float[] rates,
      long seed) {
    this.backend = backend;
    this.graph = graph;
    this.loss = loss;
    this.seed = seed;
    int channels = graph.input().channels();
    normalization = new Normalization(graph.input(), filled(channels, mean), filled(channels, std));
    images = ByteBuffer.allocate(batchSize * graph.input().elements());
    labels = ByteBuffer.allocate(batchSize * Integer.BYTES).order(ByteOrder.nativeOrder());
    feed = backend.feed(graph.input().elements(), batchSize, DataPlacement.AUTO);
    state = new RunState(backend, graph, batchSize, update, rates.length / 2);
    state.setSchedule(rates);
    state.initialize(seed);
  }

  /** A run on cross-entropy. */
  public PlanRun(
      Backend backend,
      ModelGraph graph,
      OptimizerSpec optimizer,
      int batchSize,
      float mean,
      float std,
      float[] rates,
      long seed) {
    this(
        backend,
        graph,
        LossSpec.crossEntropy(),
        UpdateSpec.of(optimizer),
        batchSize,
        mean,
        std,
        rates,
        seed);
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
    return plan(n, loss, training);
  }

  private Plan plan(int n, LossSpec by, boolean training) {
    Plan plan =
        PlanCompiler.compile(
            backend,
            graph,
            state,
            new PlanOptions(n, by, training, normalization, feed, seed, null, null));
    plans.add(plan);
    return plan;
  }

  /** A plan that scores, by the loss that does; closed with this. */
  public Plan scoringPlan(int n) {
    return plan(n, loss.forScoring(), false);
  }

  /** Runs one step on the batch as it stands, without an update. */
  public void accumulate(Plan plan) {
    startPass(plan.batchSize(), 1);
    nextAccumulation(plan);
  }

  /** The next step of the pass, without an update. */
  public void nextAccumulation(Plan plan) {
    awaitBatch(plan);
    plan.accumulate();
  }

  /** Runs one step on the batch as it stands. */
  public void step(Plan plan) {
    startPass(plan.batchSize(), 1);
    nextStep(plan);
  }

  /** Runs a step of another kind on the batch as it stands. */
  public void run(Backend.Replay step, int n) {
    startPass(n, 1);
    feed.next();
    step.run();
  }

  /** Begins a pass of a batch of {@code n}, which is delivered a number of times. */
  public void startPass(int n, int times) {
    int[] order = new int[n * times];
    Arrays.setAll(order, i -> i % n);
    byte[] bytes = Arrays.copyOf(images.array(), n * graph.input().elements());
    feed.start(new ArraySamples(bytes, labels(n)), order, order.length);
  }

  /** The next step of the pass. */
  public void nextStep(Plan plan) {
    awaitBatch(plan);
    plan.step();
  }

  private void awaitBatch(Plan plan) {
    if (feed.next() != plan.batchSize()) {
      throw new IllegalStateException("the feed gave another batch than the plan's");
    }
  }

  /** Sets every tensor of the network. */
  public void load(Map<String, double[]> tensors) {
    state
        .tensors()
        .forEach((name, dims) -> state.load(name, dims, DeviceFloats.floats(tensors.get(name))));
  }

  /** Fills the batch with random bytes and classes. */
  public void randomBatch(Random random) {
    byte[] bytes = new byte[images.capacity()];
    random.nextBytes(bytes);
    images.put(0, bytes);
    for (int i = 0; i < labels.capacity() / Integer.BYTES; i++) {
      labels.putInt(i * Integer.BYTES, random.nextInt(graph.classes()));
    }
  }

  /** The batch as the network's input [N, C, H, W], in fp32 as documented. */
  public double[] x(int n) {
    double[] x = new double[n * graph.input().elements()];
    float mean = normalization.mean()[0];
    float std = normalization.std()[0];
    for (int i = 0; i < x.length; i++) {
      x[i] = ((images.get(i) & 0xFF) / 255f - mean) / std;
    }
    return x;
  }

  public int[] labels(int n) {
    int[] classes = new int[n];
    Arrays.setAll(classes, i -> labels.getInt(i * Integer.BYTES));
    return classes;
  }

  public ByteBuffer images() {
    return images.clear();
  }

  public ByteBuffer labels() {
    return labels.clear();
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
    feed.close();
    state.close();
  }
}
