package convtrain.testing;

import convtrain.graph.OptimizerSpec;

/** The update formulas of {@link OptimizerSpec} in double precision. */
public final class ReferenceOptimizer {
  private final OptimizerSpec spec;
  private final double[] first;
  private final double[] second;
  private int t;

  /**
   * @param elements values of the flat parameter vector
   */
  public ReferenceOptimizer(OptimizerSpec spec, int elements) {
    this.spec = spec;
    first = new double[elements];
    second = new double[elements];
  }

  /**
   * One step.
   *
   * @param w parameters, updated in place
   * @param gradients of the same size
   * @param lr the step's learning rate
   * @param momentum the step's momentum, or beta1
   */
  public void step(double[] w, double[] gradients, double lr, double momentum) {
    t++;
    for (int i = 0; i < w.length; i++) {
      if (spec instanceof OptimizerSpec.Sgd sgd) {
        w[i] -= lr * sgd(sgd, i, gradients[i] + sgd.weightDecay() * w[i], momentum);
      } else if (spec instanceof OptimizerSpec.Adam adam) {
        double g = gradients[i] + adam.weightDecay() * w[i];
        w[i] -= lr * adam(i, g, momentum, adam.betas().get(1), adam.eps());
      } else if (spec instanceof OptimizerSpec.AdamW adamW) {
        w[i] -= lr * adamW.weightDecay() * w[i];
        w[i] -= lr * adam(i, gradients[i], momentum, adamW.betas().get(1), adamW.eps());
      } else {
        throw new IllegalArgumentException("no reference of " + spec);
      }
    }
  }

  private double sgd(OptimizerSpec.Sgd sgd, int i, double g, double momentum) {
    first[i] = t == 1 ? g : momentum * first[i] + (1 - sgd.dampening()) * g;
    return sgd.nesterov() ? g + momentum * first[i] : first[i];
  }

  private double adam(int i, double g, double beta1, double beta2, double eps) {
    first[i] = beta1 * first[i] + (1 - beta1) * g;
    second[i] = beta2 * second[i] + (1 - beta2) * g * g;
    double m = first[i] / (1 - Math.pow(beta1, t));
    double v = second[i] / (1 - Math.pow(beta2, t));
    return m / (Math.sqrt(v) + eps);
  }
}
