package convtrain.graph;

import com.fasterxml.jackson.annotation.JsonProperty;

/**
 * Initialisation of a convolution's or linear layer's weight, with {@code torch.nn.init}'s
 * formulas. fan_in = (C / groups) R S, fan_out = K R S.
 */
public enum Init {
  /** PyTorch's default: kaiming_uniform with a = sqrt(5), that is bound = 1 / sqrt(fan_in). */
  @JsonProperty("default")
  DEFAULT,
  /** bound = sqrt(6 / fan_in): gain sqrt(2) for ReLU. */
  @JsonProperty("kaiming_uniform")
  KAIMING_UNIFORM,
  /** std = sqrt(2 / fan_in). */
  @JsonProperty("kaiming_normal")
  KAIMING_NORMAL,
  /** bound = sqrt(6 / (fan_in + fan_out)). */
  @JsonProperty("xavier_uniform")
  XAVIER_UNIFORM,
  /** std = sqrt(2 / (fan_in + fan_out)). */
  @JsonProperty("xavier_normal")
  XAVIER_NORMAL;

  Fill fill(long fanIn, long fanOut) {
    return switch (this) {
      case DEFAULT -> Fill.uniform(1 / Math.sqrt(fanIn));
      case KAIMING_UNIFORM -> Fill.uniform(Math.sqrt(6.0 / fanIn));
      case KAIMING_NORMAL -> Fill.normal(Math.sqrt(2.0 / fanIn));
      case XAVIER_UNIFORM -> Fill.uniform(Math.sqrt(6.0 / (fanIn + fanOut)));
      case XAVIER_NORMAL -> Fill.normal(Math.sqrt(2.0 / (fanIn + fanOut)));
    };
  }
}
