package convtrain.graph;

import com.fasterxml.jackson.annotation.JsonTypeInfo;
import com.fasterxml.jackson.annotation.JsonTypeName;

/**
 * What training minimises, as a mean over the batch: PyTorch's names, defaults and formulas. It
 * stands beside {@link LayerSpec} because every backend implements each one.
 *
 * <p>t [N, K] are the targets: one-hot of the labels, or given, each row summing to 1.
 */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "type")
public sealed interface LossSpec {
  /** Cross-entropy without label smoothing, the default. */
  static LossSpec crossEntropy() {
    return new CrossEntropy(null);
  }

  /** The word for it in the run file. */
  default String type() {
    return getClass().getAnnotation(JsonTypeName.class).value();
  }

  /**
   * What a trained network is scored by: the same without label smoothing, so that runs which
   * smooth differently can be compared.
   */
  LossSpec forScoring();

  /**
   * Softmax cross-entropy; works on the logits, whether a softmax is written at the network's end
   * or not.
   *
   * <pre>
   * t' = (1 - label_smoothing) t + label_smoothing / K
   * loss = mean over n of -sum over k of t'_nk log p_nk,   p = softmax(z)
   * dz = (p - t') / N
   * </pre>
   *
   * @param labelSmoothing 0 to 1; default 0
   */
  @JsonTypeName("cross_entropy")
  record CrossEntropy(Double labelSmoothing) implements LossSpec {
    public CrossEntropy {
      labelSmoothing = Check.within(0, 1, Check.or(labelSmoothing, 0.0), "label_smoothing");
    }

    @Override
    public LossSpec forScoring() {
      return crossEntropy();
    }
  }

  /**
   * Mean squared error of the network's own output y, a final softmax or sigmoid included:
   *
   * <pre>
   * loss = mean over n and k of (y_nk - t_nk)^2
   * dy = 2 (y - t) / (N K)
   * </pre>
   */
  @JsonTypeName("mse")
  record Mse() implements LossSpec {
    @Override
    public LossSpec forScoring() {
      return this;
    }
  }
}
