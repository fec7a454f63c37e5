package convtrain.config;

import com.fasterxml.jackson.annotation.JsonProperty;
import convtrain.graph.Check;

/**
 * Ends a run whose {@link TrainConfig#monitor} no longer improves.
 *
 * @param patience epochs in a row without improvement after which training ends
 * @param minDelta what counts as improvement: better than the best so far by more than this;
 *     default 0
 */
public record EarlyStopping(@JsonProperty(required = true) Integer patience, Double minDelta) {
  public EarlyStopping {
    patience = Check.atLeast(1, Check.given(patience, "patience"), "patience");
    minDelta = Check.nonNegative(Check.or(minDelta, 0.0), "min_delta");
  }
}
