package convtrain.testing;

/** Mean softmax cross-entropy of a batch: loss = mean of log(sum(exp(z))) - z[label]. */
public final class ReferenceLoss {
  private ReferenceLoss() {}

  /**
   * @param logits [N, classes]
   * @param labels one class per sample
   */
  public static double value(double[] logits, int[] labels) {
    int classes = logits.length / labels.length;
    double sum = 0;
    for (int n = 0; n < labels.length; n++) {
      sum += logSumExp(logits, n, classes) - logits[n * classes + labels[n]];
    }
    return sum / labels.length;
  }

  /** (softmax - onehot) / N, [N, classes]. */
  public static double[] gradient(double[] logits, int[] labels) {
    int classes = logits.length / labels.length;
    double[] dLogits = new double[logits.length];
    for (int n = 0; n < labels.length; n++) {
      double logSum = logSumExp(logits, n, classes);
      for (int c = 0; c < classes; c++) {
        double p = Math.exp(logits[n * classes + c] - logSum);
        dLogits[n * classes + c] = (p - (c == labels[n] ? 1 : 0)) / labels.length;
      }
    }
    return dLogits;
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
