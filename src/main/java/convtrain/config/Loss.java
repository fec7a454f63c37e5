package convtrain.config;

import com.fasterxml.jackson.annotation.JsonProperty;

/** What training minimises. */
public enum Loss {
  /** Mean over the batch of {@code -log softmax(logits)[label]}. */
  @JsonProperty("cross_entropy")
  CROSS_ENTROPY
}
