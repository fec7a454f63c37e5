package convtrain.testing;

import java.util.List;

/**
 * Over the channels of each pixel: p = exp(x - max) / sum, or its logarithm.
 *
 * <p>Softmax: dx = p (dy - sum(dy p)); log-softmax: dx = dy - p sum(dy).
 */
final class ReferenceSoftmax implements ReferenceOp {
  private final boolean log;
  private final int channels;
  private final int pixels;
  private double[] p;

  ReferenceSoftmax(boolean log, Setting setting) {
    this.log = log;
    channels = setting.in().channels();
    pixels = setting.in().height() * setting.in().width();
  }

  @Override
  public double[] forward(List<double[]> inputs) {
    double[] x = inputs.get(0);
    double[] y = new double[x.length];
    p = new double[x.length];
    for (int group = 0; group < x.length / channels; group++) {
      double max = Double.NEGATIVE_INFINITY;
      for (int c = 0; c < channels; c++) {
        max = Math.max(max, x[at(group, c)]);
      }
      double sum = 0;
      for (int c = 0; c < channels; c++) {
        sum += Math.exp(x[at(group, c)] - max);
      }
      for (int c = 0; c < channels; c++) {
        int i = at(group, c);
        p[i] = Math.exp(x[i] - max) / sum;
        y[i] = log ? x[i] - max - Math.log(sum) : p[i];
      }
    }
    return y;
  }

  @Override
  public Gradients backward(double[] dy) {
    double[] dx = new double[dy.length];
    for (int group = 0; group < dy.length / channels; group++) {
      double sum = 0;
      for (int c = 0; c < channels; c++) {
        int i = at(group, c);
        sum += log ? dy[i] : dy[i] * p[i];
      }
      for (int c = 0; c < channels; c++) {
        int i = at(group, c);
        dx[i] = log ? dy[i] - p[i] * sum : p[i] * (dy[i] - sum);
      }
    }
    return Gradients.ofInput(dx);
  }

  /** Channel c of a group: one pixel of one sample. */
  private int at(int group, int c) {
    return (group / pixels * channels + c) * pixels + group % pixels;
  }
}
