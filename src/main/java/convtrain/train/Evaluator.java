package convtrain.train;

import convtrain.backend.Backend;
import convtrain.backend.Samples;
import convtrain.backend.StepMetrics;
import convtrain.data.Dataset;
import convtrain.graph.LossSpec;
import convtrain.graph.ModelGraph;
import convtrain.plan.Plan;
import convtrain.plan.RunState;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/** Scores a network as it stands: no dropout, batch norm by its running statistics. */
public final class Evaluator implements AutoCloseable {
  private static final int MAX_BATCH_SIZE = 500;

  /** Input floats of a batch: large images are scored in smaller batches. */
  private static final int MAX_BATCH_ELEMENTS = 1 << 23;

  private final RunState state;
  private final boolean outputsLogits;
  private final Plans plans;
  private final int classes;
  private final int batchSize;
  private final float[] logits;

  /**
   * @param state the network's parameters; where it keeps moving averages, those are scored
   */
  Evaluator(Backend backend, ModelGraph graph, RunState state, Scoring scoring) {
    this.state = state;
    outputsLogits = scoring.loss() instanceof LossSpec.CrossEntropy;
    classes = graph.classes();
    batchSize = batchSize(graph);
    logits = new float[Math.multiplyExact(batchSize, classes)];
    plans = Plans.ofScoring(backend, graph, state, scoring, batchSize);
  }

  /** Samples that are scored at once. */
  static int batchSize(ModelGraph graph) {
    return Math.max(1, Math.min(MAX_BATCH_SIZE, MAX_BATCH_ELEMENTS / graph.input().elements()));
  }

  /** Makes what scoring so many samples needs; {@link #score} then makes nothing more. */
  void prepare(int samples) {
    plans.prepare(samples);
  }

  /** Loss and accuracy over a data set; the run's training metrics are cleared. */
  public StepMetrics score(Dataset data) {
    state.clearMetrics();
    start(new DatasetSamples(data));
    for (int n = plans.feed().next(); n > 0; n = plans.feed().next()) {
      plans.of(n).step();
    }
    StepMetrics metrics = state.metrics();
    state.clearMetrics();
    return metrics;
  }

  /**
   * Loss, accuracy and which class was taken for which.
   *
   * @param split name of the data, for the report
   */
  public Evaluation evaluate(String split, Dataset data) {
    long[][] confusion = new long[classes][classes];
    state.clearMetrics();
    start(new DatasetSamples(data));
    int done = 0;
    for (int n = plans.feed().next(); n > 0; n = plans.feed().next()) {
      Plan plan = plans.of(n);
      plan.step();
      plan.readLogits(logits);
      for (int i = 0; i < n; i++) {
        confusion[data.label(done + i)][best(i)]++;
      }
      done += n;
    }
    StepMetrics metrics = state.metrics();
    state.clearMetrics();
    return new Evaluation(split, metrics.loss(), confusion);
  }

  /**
   * Class probabilities of single images.
   *
   * @param images bytes [C, H, W] each
   * @return one row per image: softmax of the logits; of a network trained with mse its output,
   *     which estimates the one-hot target and so the probabilities
   */
  public double[][] predict(List<byte[]> images) {
    return ofEach(new Unlabelled(images), 1, outputsLogits ? this::softmax : this::output);
  }

  /**
   * What the network says of any samples: logarithms of {@link #predict}'s probabilities, which are
   * finite where a probability would underflow; of one trained with mse its output.
   *
   * @param view from 1; which of its variations an evaluator that varies images sees of each
   */
  double[][] outputs(Samples samples, int view) {
    return ofEach(samples, view, outputsLogits ? this::logSoftmax : this::output);
  }

  /**
   * @param row of a sample, from its logits
   */
  private double[][] ofEach(Samples samples, int view, IntFunction<double[]> row) {
    double[][] rows = new double[samples.count()][];
    start(samples, view);
    int done = 0;
    for (int n = plans.feed().next(); n > 0; n = plans.feed().next()) {
      Plan plan = plans.of(n);
      plan.step();
      plan.readLogits(logits);
      for (int i = 0; i < n; i++) {
        rows[done + i] = row.apply(i);
      }
      done += n;
    }
    state.clearMetrics();
    return rows;
  }

  /** Labels play no part in the logits; zero is a class of every network. */
  private record Unlabelled(List<byte[]> images) implements Samples {
    @Override
    public int count() {
      return images.size();
    }

    @Override
    public void copyImage(int index, ByteBuffer into) {
      into.put(images.get(index));
    }

    @Override
    public int label(int index) {
      return 0;
    }
  }

  private void start(Samples samples) {
    start(samples, 1);
  }

  private void start(Samples samples, int view) {
    int[] order = IntStream.range(0, samples.count()).toArray();
    plans.feed().start(samples, order, order.length, view);
  }

  private int best(int sample) {
    int best = 0;
    for (int c = 1; c < classes; c++) {
      best = logits[sample * classes + c] > logits[sample * classes + best] ? c : best;
    }
    return best;
  }

  private double[] output(int sample) {
    double[] output = new double[classes];
    Arrays.setAll(output, c -> logits[sample * classes + c]);
    return output;
  }

  private double[] softmax(int sample) {
    double max = logits[sample * classes + best(sample)];
    double[] probabilities = new double[classes];
    double sum = 0;
    for (int c = 0; c < classes; c++) {
      probabilities[c] = Math.exp(logits[sample * classes + c] - max);
      sum += probabilities[c];
    }
    for (int c = 0; c < classes; c++) {
      probabilities[c] /= sum;
    }
    return probabilities;
  }

  /** log p_k = (z_k - max) - log(sum over c of exp(z_c - max)). */
  private double[] logSoftmax(int sample) {
    double max = logits[sample * classes + best(sample)];
    double[] logs = new double[classes];
    double sum = 0;
    for (int c = 0; c < classes; c++) {
      logs[c] = logits[sample * classes + c] - max;
      sum += Math.exp(logs[c]);
    }
    double logSum = Math.log(sum);
    for (int c = 0; c < classes; c++) {
      logs[c] -= logSum;
    }
    return logs;
  }

  @Override
  public void close() {
    plans.close();
  }
}
