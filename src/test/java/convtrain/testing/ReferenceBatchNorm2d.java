package convtrain.testing;

import convtrain.graph.LayerSpec;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * y = xHat weight + bias with xHat = (x - mean) / sqrt(var + eps), per channel over N, H, W.
 *
 * <p>Training: the batch's mean and biased variance; with m values per channel, {@code dx = weight
 * / (m sqrt(var + eps)) (m dy - sum(dy) - xHat sum(dy xHat))}. Evaluation: the running statistics,
 * constants to the gradient.
 */
final class ReferenceBatchNorm2d implements ReferenceOp {
  private final LayerSpec.BatchNorm2d spec;
  private final Setting setting;
  private final int channels;
  private final int pixels;
  private double[] xHat;
  private double[] std;

  ReferenceBatchNorm2d(LayerSpec.BatchNorm2d spec, Setting setting) {
    this.spec = spec;
    this.setting = setting;
    channels = setting.in().channels();
    pixels = setting.in().height() * setting.in().width();
  }

  @Override
  public double[] forward(List<double[]> inputs) {
    double[] x = inputs.get(0);
    double[] mean = setting.parameter("running_mean");
    double[] variance = setting.parameter("running_var");
    if (setting.training()) {
      double m = (double) x.length / channels;
      double[] runningMean = mean;
      double[] runningVar = variance;
      mean = new double[channels];
      variance = new double[channels];
      for (int i = 0; i < x.length; i++) {
        mean[channel(i)] += x[i] / m;
      }
      for (int i = 0; i < x.length; i++) {
        variance[channel(i)] += Math.pow(x[i] - mean[channel(i)], 2) / m;
      }
      for (int c = 0; c < channels; c++) {
        double unbiased = variance[c] * m / (m - 1);
        runningMean[c] += spec.momentum() * (mean[c] - runningMean[c]);
        runningVar[c] += spec.momentum() * (unbiased - runningVar[c]);
      }
    }
    return normalize(x, mean, variance);
  }

  private double[] normalize(double[] x, double[] mean, double[] variance) {
    std = new double[channels];
    for (int c = 0; c < channels; c++) {
      std[c] = Math.sqrt(variance[c] + spec.eps());
    }
    xHat = new double[x.length];
    double[] y = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      int c = channel(i);
      xHat[i] = (x[i] - mean[c]) / std[c];
      y[i] = spec.affine() ? xHat[i] * weight(c) + setting.parameter("bias")[c] : xHat[i];
    }
    return y;
  }

  @Override
  public Gradients backward(double[] dy) {
    double[] sum = new double[channels];
    double[] sumWithXHat = new double[channels];
    for (int i = 0; i < dy.length; i++) {
      sum[channel(i)] += dy[i];
      sumWithXHat[channel(i)] += dy[i] * xHat[i];
    }
    double m = (double) dy.length / channels;
    double[] dx = new double[dy.length];
    for (int i = 0; i < dy.length; i++) {
      int c = channel(i);
      double centred =
          setting.training() ? dy[i] - sum[c] / m - xHat[i] * sumWithXHat[c] / m : dy[i];
      dx[i] = weight(c) / std[c] * centred;
    }
    Map<String, double[]> gradients = new LinkedHashMap<>();
    if (spec.affine()) {
      gradients.put("weight", sumWithXHat);
      gradients.put("bias", sum);
    }
    return new Gradients(List.of(dx), gradients);
  }

  private int channel(int i) {
    return i / pixels % channels;
  }

  private double weight(int c) {
    return spec.affine() ? setting.parameter("weight")[c] : 1;
  }
}
