package convtrain.testing;

import convtrain.graph.LossSpec;

/** The formulas of {@link LossSpec} in double precision, mean over a batch. */
public final class ReferenceLoss {
  private ReferenceLoss() {}

  /** One-hot rows [N, classes]. */
  public static double[] oneHot(int[] labels, int classes) {
    double[] targets = new double[labels.length * classes];
    for (int n = 0; n < labels.length; n++) {
      targets[n * classes + labels[n]] = 1;
    }
    return targets;
  }

  /**
   * The loss.
   *
   * @param z logits of cross-entropy, outputs of mse [N, classes]
   * @param targets of the same size
   */
  public static double value(LossSpec loss, double[] z, double[] targets, int classes) {
    int batch = z.length / classes;
    double sum = 0;
    for (int i = 0; i < z.length; i++) {
      if (loss instanceof LossSpec.CrossEntropy entropy) {
        double logP = z[i] - logSumExp(z, i / classes, classes);
        sum -= smoothed(entropy, targets[i], classes) * logP / batch;
      } else {
        sum += (z[i] - targets[i]) * (z[i] - targets[i]) / z.length;
      }
    }
    return sum;
  }

  /** Gradient of z, [N, classes]. */
  public static double[] gradient(LossSpec loss, double[] z, double[] targets, int classes) {
    int batch = z.length / classes;
    double[] dz = new double[z.length];
    for (int i = 0; i < z.length; i++) {
      if (loss instanceof LossSpec.CrossEntropy entropy) {
        double p = Math.exp(z[i] - logSumExp(z, i / classes, classes));
        dz[i] = (p - smoothed(entropy, targets[i], classes)) / batch;
      } else {
        dz[i] = 2 * (z[i] - targets[i]) / z.length;
      }
    }
    return dz;
  }

  private static double smoothed(LossSpec.CrossEntropy loss, double target, int classes) {
    return (1 - loss.labelSmoothing()) * target + loss.labelSmoothing() / classes;
  }

  /** Mean cross-entropy of labels. */
  public static double value(double[] logits, int[] labels) {
    int classes = logits.length / labels.length;
    return value(LossSpec.crossEntropy(), logits, oneHot(labels, classes), classes);
  }

  /** Gradient of the mean cross-entropy of labels. */
  public static double[] gradient(double[] logits, int[] labels) {
    int classes = logits.length / labels.length;
    return gradient(LossSpec.crossEntropy(), logits, oneHot(labels, classes), classes);
  }

  /** Samples whose largest logit is their class; the first of equals counts. */
  public static int correct(double[] logits, int[] labels) {
    int classes = logits.length / labels.length;
    int correct = 0;
    for (int n = 0; n < labels.length; n++) {
      int best = 0;
      for (int c = 1; c < classes; c++) {
        best = logits[n * classes + c] > logits[n * classes + best] ? c : best;
      }
      correct += best == labels[n] ? 1 : 0;
    }
    return correct;
  }

  private static double logSumExp(double[] logits, int n, int classes) {
    double max = Double.NEGATIVE_INFINITY;
    for (int c = 0; c < classes; c++) {
      max = Math.max(max, logits[n * classes + c]);
    }
    double sum = 0;
    for (int c = 0; c < classes; c++) {
      sum += Math.exp(logits[n * classes + c] - max);
    }
    return max + Math.log(sum);
  }
}
