package convtrain.testing;

import convtrain.graph.LayerSpec;
import java.util.List;

/** Each activation and its derivative; the derivative of a kink at 0 is the one from below. */
final class ReferenceActivation implements ReferenceOp {
  private static final double SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);
  private static final double CUBIC = 0.044715;

  private final LayerSpec.Activation spec;
  private double[] x;

  ReferenceActivation(LayerSpec.Activation spec) {
    this.spec = spec;
  }

  @Override
  public double[] forward(List<double[]> inputs) {
    x = inputs.get(0);
    double[] y = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      y[i] = value(x[i]);
    }
    return y;
  }

  @Override
  public Gradients backward(double[] dy) {
    double[] dx = new double[x.length];
    for (int i = 0; i < x.length; i++) {
      dx[i] = slope(x[i]) * dy[i];
    }
    return Gradients.ofInput(dx);
  }

  private double value(double v) {
    if (spec instanceof LayerSpec.Relu) {
      return Math.max(v, 0);
    } else if (spec instanceof LayerSpec.LeakyRelu leaky) {
      return v > 0 ? v : leaky.negativeSlope() * v;
    } else if (spec instanceof LayerSpec.Sigmoid) {
      return sigmoid(v);
    } else if (spec instanceof LayerSpec.Tanh) {
      return Math.tanh(v);
    } else if (spec instanceof LayerSpec.Silu) {
      return v * sigmoid(v);
    } else if (spec instanceof LayerSpec.Gelu gelu) {
      return v * (gelu.approximate() == LayerSpec.Gelu.Approximate.TANH ? phiTanh(v) : phi(v));
    }
    throw new IllegalArgumentException("no reference of " + spec.type());
  }

  private double slope(double v) {
    if (spec instanceof LayerSpec.Relu) {
      return v > 0 ? 1 : 0;
    } else if (spec instanceof LayerSpec.LeakyRelu leaky) {
      return v > 0 ? 1 : leaky.negativeSlope();
    } else if (spec instanceof LayerSpec.Sigmoid) {
      return sigmoid(v) * (1 - sigmoid(v));
    } else if (spec instanceof LayerSpec.Tanh) {
      return 1 - Math.tanh(v) * Math.tanh(v);
    } else if (spec instanceof LayerSpec.Silu) {
      return sigmoid(v) + v * sigmoid(v) * (1 - sigmoid(v));
    } else if (spec instanceof LayerSpec.Gelu gelu) {
      return gelu.approximate() == LayerSpec.Gelu.Approximate.TANH
          ? phiTanh(v) + v * 2 * phiTanh(v) * (1 - phiTanh(v)) * innerSlope(v)
          : phi(v) + v * Math.exp(-v * v / 2) / Math.sqrt(2 * Math.PI);
    }
    throw new IllegalArgumentException("no reference of " + spec.type());
  }

  private static double sigmoid(double v) {
    return 1 / (1 + Math.exp(-v));
  }

  /** (1 + tanh(u)) / 2 with u = sqrt(2 / pi) (v + 0.044715 v^3); its slope in u is 2 p (1 - p). */
  private static double phiTanh(double v) {
    return sigmoid(2 * SQRT_2_OVER_PI * (v + CUBIC * v * v * v));
  }

  private static double innerSlope(double v) {
    return SQRT_2_OVER_PI * (1 + 3 * CUBIC * v * v);
  }

  /**
   * Distribution function of the standard normal by its series, all terms of one sign: 1/2 +
   * density(v) (v + v^3 / 3 + v^5 / 15 + ...); beyond 9 the rest is below 1e-18.
   */
  private static double phi(double v) {
    if (Math.abs(v) > 9) {
      return v > 0 ? 1 : 0;
    }
    double term = v;
    double sum = v;
    for (int odd = 3; Math.abs(term) > 1e-18 * Math.abs(sum); odd += 2) {
      term *= v * v / odd;
      sum += term;
    }
    return 0.5 + sum * Math.exp(-v * v / 2) / Math.sqrt(2 * Math.PI);
  }
}
