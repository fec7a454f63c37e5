package convtrain.testing;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** y[n,o] = bias[o] + sum over i of w[o,i] x[n,i]. */
final class ReferenceLinear implements ReferenceOp {
  private final int n;
  private final int features;
  private final int outputs;
  private final double[] w;
  private final double[] bias;
  private double[] x;

  ReferenceLinear(Setting setting) {
    n = setting.n();
    features = setting.in().elements();
    outputs = setting.out().elements();
    w = setting.parameter("weight");
    bias = setting.parameter("bias");
  }

  @Override
  public double[] forward(List<double[]> inputs) {
    x = inputs.get(0);
    double[] y = new double[n * outputs];
    for (int sample = 0; sample < n; sample++) {
      for (int o = 0; o < outputs; o++) {
        double sum = bias == null ? 0 : bias[o];
        for (int i = 0; i < features; i++) {
          sum += w[o * features + i] * x[sample * features + i];
        }
        y[sample * outputs + o] = sum;
      }
    }
    return y;
  }

  @Override
  public Gradients backward(double[] dy) {
    double[] dx = new double[x.length];
    double[] dw = new double[w.length];
    double[] db = new double[outputs];
    for (int sample = 0; sample < n; sample++) {
      for (int o = 0; o < outputs; o++) {
        double d = dy[sample * outputs + o];
        db[o] += d;
        for (int i = 0; i < features; i++) {
          dx[sample * features + i] += w[o * features + i] * d;
          dw[o * features + i] += x[sample * features + i] * d;
        }
      }
    }
    Map<String, double[]> gradients = new LinkedHashMap<>();
    gradients.put("weight", dw);
    if (bias != null) {
      gradients.put("bias", db);
    }
    return new Gradients(List.of(dx), gradients);
  }
}
