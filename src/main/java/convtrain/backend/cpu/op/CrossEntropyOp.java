package convtrain.backend.cpu.op;

import convtrain.backend.DeviceBuffer;
import convtrain.backend.StepMetrics;
import convtrain.backend.cpu.dnnl.CpuBuffer;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;

/**
 * Softmax cross-entropy with its gradient in one pass over the logits [N, classes]:
 *
 * <pre>
 * loss_n = log(sum over c of exp(z_c - max)) - (z_label - max)
 * dz_c = (exp(z_c - max) / sum - [c = label]) / N
 * </pre>
 */
final class CrossEntropyOp extends ForwardOnly {
  private final int batch;
  private final int classes;
  private final FloatBuffer logits;
  private final ByteBuffer labels;
  private final FloatBuffer gradient;
  private final ByteBuffer metrics;
  private final ByteBuffer clock;
  private final float[] row;
  private final double[] exps;

  /** {@code gradient} may be null: evaluation only. */
  CrossEntropyOp(
      int batch,
      int classes,
      DeviceBuffer logits,
      DeviceBuffer labels,
      DeviceBuffer gradient,
      DeviceBuffer metrics,
      DeviceBuffer clock) {
    this.batch = batch;
    this.classes = classes;
    this.logits = ((CpuBuffer) logits).asFloats();
    this.labels = ((CpuBuffer) labels).asBytes();
    this.gradient = gradient == null ? null : ((CpuBuffer) gradient).asFloats();
    this.metrics = ((CpuBuffer) metrics).asBytes();
    this.clock = ((CpuBuffer) clock).asBytes();
    this.row = new float[classes];
    this.exps = new double[classes];
  }

  @Override
  public void forward() {
    double lossSum = 0;
    long correct = 0;
    for (int n = 0; n < batch; n++) {
      logits.get(n * classes, row);
      int label = labels.getInt(n * Integer.BYTES);
      int best = 0;
      for (int c = 1; c < classes; c++) {
        best = row[c] > row[best] ? c : best;
      }
      lossSum += loss(label, row[best]);
      correct += best == label ? 1 : 0;
      if (gradient != null) {
        gradient.put(n * classes, row);
      }
    }
    add(lossSum, correct);
  }

  /** The loss of the sample in {@code row}, which then holds the sample's gradient. */
  private double loss(int label, float max) {
    double sum = 0;
    for (int c = 0; c < classes; c++) {
      exps[c] = Math.exp(row[c] - (double) max);
      sum += exps[c];
    }
    double loss = Math.log(sum) - (row[label] - (double) max);
    for (int c = 0; c < classes; c++) {
      row[c] = (float) ((exps[c] / sum - (c == label ? 1 : 0)) / batch);
    }
    return loss;
  }

  private void add(double lossSum, long correct) {
    int at = StepMetrics.LOSS_SUM;
    metrics.putDouble(at, metrics.getDouble(at) + lossSum);
    at = StepMetrics.CORRECT;
    metrics.putLong(at, metrics.getLong(at) + correct);
    at = StepMetrics.SAMPLES;
    metrics.putLong(at, metrics.getLong(at) + batch);
    at = StepMetrics.FIRST_BAD_STEP;
    if (!Double.isFinite(lossSum) && metrics.getLong(at) < 0) {
      metrics.putLong(at, clock.getLong(0));
    }
  }
}
