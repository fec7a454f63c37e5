package convtrain.graph;

import com.fasterxml.jackson.annotation.JsonTypeInfo;
import com.fasterxml.jackson.annotation.JsonTypeName;
import java.util.List;

/**
 * An update formula with its constants: PyTorch's names, defaults and order of operations. It
 * stands beside {@link LayerSpec} because every backend implements each one over the flat parameter
 * buffer.
 *
 * <p>g is the gradient, w the parameter, lr the schedule's learning rate of the step, t the step
 * counted from 1.
 */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "type")
public sealed interface OptimizerSpec {
  /** The learning rate that a schedule scales. */
  Double lr();

  /**
   * Whether weight decay applies to tensors of one dimension too (biases, batch norm's weight and
   * bias), as PyTorch's optimizers do by default; or only to those of more.
   */
  Boolean decayBiasAndNorm();

  /** State values kept per parameter (momentum, first and second moments). */
  int stateSlots();

  /** Momentum, or Adam's beta1: what {@code cycle_momentum} varies. */
  double momentumLike();

  /**
   * Stochastic gradient descent.
   *
   * <pre>
   * g = g + weight_decay w
   * v = g                                   (t = 1)
   * v = momentum v + (1 - dampening) g      (t > 1)
   * w = w - lr (nesterov ? g + momentum v : v)
   * </pre>
   */
  @JsonTypeName("sgd")
  record Sgd(
      Double lr,
      Double momentum,
      Double dampening,
      Boolean nesterov,
      Double weightDecay,
      Boolean decayBiasAndNorm)
      implements OptimizerSpec {
    public Sgd {
      lr = rate(Check.or(lr, 1e-3));
      momentum = Check.nonNegative(Check.or(momentum, 0.0), "momentum");
      dampening = Check.finite(Check.or(dampening, 0.0), "dampening");
      nesterov = Check.or(nesterov, false);
      weightDecay = Check.nonNegative(Check.or(weightDecay, 0.0), "weight_decay");
      decayBiasAndNorm = Check.or(decayBiasAndNorm, true);
      if (nesterov && (momentum == 0 || dampening != 0)) {
        throw new IllegalArgumentException(
            "nesterov=true needs momentum above 0 and dampening=0, found momentum=%s, dampening=%s"
                .formatted(momentum, dampening));
      }
    }

    @Override
    public int stateSlots() {
      return momentum == 0 ? 0 : 1;
    }

    @Override
    public double momentumLike() {
      return momentum;
    }
  }

  /**
   * Adam (Kingma and Ba, 2015) with L2 regularisation in the gradient.
   *
   * <pre>
   * g = g + weight_decay w
   * m = beta1 m + (1 - beta1) g;   v = beta2 v + (1 - beta2) g^2
   * w = w - lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
   * </pre>
   */
  @JsonTypeName("adam")
  record Adam(
      Double lr, List<Double> betas, Double eps, Double weightDecay, Boolean decayBiasAndNorm)
      implements OptimizerSpec {
    public Adam {
      lr = rate(Check.or(lr, 1e-3));
      betas = checkedBetas(betas);
      eps = Check.positive(Check.or(eps, 1e-8), "eps");
      weightDecay = Check.nonNegative(Check.or(weightDecay, 0.0), "weight_decay");
      decayBiasAndNorm = Check.or(decayBiasAndNorm, true);
    }

    @Override
    public int stateSlots() {
      return 2;
    }

    @Override
    public double momentumLike() {
      return betas.get(0);
    }
  }

  /**
   * AdamW (Loshchilov and Hutter, 2019): {@code w = w - lr weight_decay w}, then Adam's update with
   * the bare gradient.
   */
  @JsonTypeName("adamw")
  record AdamW(
      Double lr, List<Double> betas, Double eps, Double weightDecay, Boolean decayBiasAndNorm)
      implements OptimizerSpec {
    public AdamW {
      lr = rate(Check.or(lr, 1e-3));
      betas = checkedBetas(betas);
      eps = Check.positive(Check.or(eps, 1e-8), "eps");
      weightDecay = Check.nonNegative(Check.or(weightDecay, 1e-2), "weight_decay");
      decayBiasAndNorm = Check.or(decayBiasAndNorm, true);
    }

    @Override
    public int stateSlots() {
      return 2;
    }

    @Override
    public double momentumLike() {
      return betas.get(0);
    }
  }

  private static Double rate(double lr) {
    return Check.nonNegative(lr, "lr");
  }

  private static List<Double> checkedBetas(List<Double> betas) {
    List<Double> checked = Check.or(betas, List.of(0.9, 0.999));
    if (checked.size() != 2
        || checked.stream().anyMatch(beta -> beta == null || !(beta >= 0 && beta < 1))) {
      throw new IllegalArgumentException(
          "betas=" + checked + "; expected two numbers, each at least 0 and below 1");
    }
    return List.copyOf(checked);
  }
}
