package convtrain.backend.cpu.op;

import convtrain.backend.LossBuffers;
import convtrain.backend.Op;
import convtrain.backend.StepClock;
import convtrain.backend.StepMetrics;
import convtrain.backend.cpu.dnnl.CpuBuffer;
import convtrain.backend.cpu.dnnl.TensorView;
import convtrain.graph.LossSpec;
import convtrain.graph.Precision;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;

/**
 * The loss with its gradient in one pass over z [N, classes]; {@link LossSpec} gives the formulas.
 * Of cross-entropy:
 *
 * <pre>
 * -log p_k = log(sum over c of exp(z_c - max)) - (z_k - max)
 * </pre>
 */
final class LossOp implements Op {
  private final int batch;
  private final int classes;
  private final boolean squared;
  private final double smoothing;
  private final TensorView z;
  private final ByteBuffer labels;
  private final FloatBuffer targets;
  private final TensorView gradient;
  private final ByteBuffer metrics;
  private final ByteBuffer clock;
  private final float[] row;
  private final float[] given;
  private final double[] target;
  private final double[] exps;

  LossOp(Precision precision, int batch, LossSpec loss, int classes, LossBuffers buffers) {
    this.batch = batch;
    this.classes = classes;
    squared = loss instanceof LossSpec.Mse;
    smoothing = loss instanceof LossSpec.CrossEntropy entropy ? entropy.labelSmoothing() : 0;
    this.z = TensorView.of(precision, buffers.z());
    this.labels = ((CpuBuffer) buffers.labels()).asBytes();
    this.targets = buffers.targets() == null ? null : CpuBuffer.floats(buffers.targets());
    gradient = buffers.dz() == null ? null : TensorView.of(precision, buffers.dz());
    this.metrics = ((CpuBuffer) buffers.metrics()).asBytes();
    this.clock = ((CpuBuffer) buffers.clock()).asBytes();
    row = new float[classes];
    given = new float[classes];
    target = new double[classes];
    exps = new double[classes];
  }

  @Override
  public void forward() {
    double lossSum = 0;
    long correct = 0;
    for (int n = 0; n < batch; n++) {
      z.get(n * classes, row);
      int label = labels.getInt(n * Integer.BYTES);
      int best = 0;
      for (int c = 1; c < classes; c++) {
        best = row[c] > row[best] ? c : best;
      }
      readTarget(n, label);
      lossSum += squared ? squaredError() : crossEntropy(row[best]);
      correct += best == label ? 1 : 0;
      if (gradient != null) {
        gradient.put(n * classes, row);
      }
    }
    add(lossSum, correct);
  }

  private void readTarget(int n, int label) {
    if (targets != null) {
      targets.get(n * classes, given);
    }
    double share = smoothing / classes;
    for (int c = 0; c < classes; c++) {
      double t = targets != null ? given[c] : c == label ? 1 : 0;
      target[c] = (1 - smoothing) * t + share;
    }
  }

  /** The loss of the sample in {@code row}, which then holds the sample's gradient. */
  private double crossEntropy(float max) {
    double sum = 0;
    for (int c = 0; c < classes; c++) {
      exps[c] = Math.exp(row[c] - (double) max);
      sum += exps[c];
    }
    double logSum = Math.log(sum);
    double loss = 0;
    for (int c = 0; c < classes; c++) {
      // A class that is no target may have a logit of minus infinity.
      if (target[c] != 0) {
        loss += target[c] * (logSum - (row[c] - (double) max));
      }
      row[c] = (float) ((exps[c] / sum - target[c]) / batch);
    }
    return loss;
  }

  /** Like {@link #crossEntropy}. */
  private double squaredError() {
    double sum = 0;
    for (int c = 0; c < classes; c++) {
      double error = row[c] - target[c];
      sum += error * error;
      row[c] = (float) (2 * error / classes / batch);
    }
    return sum / classes;
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
      metrics.putLong(at, clock.getLong(StepClock.BATCHES));
    }
  }
}
