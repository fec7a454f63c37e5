package convtrain.config;

import com.fasterxml.jackson.annotation.JsonProperty;

/** Which weights a run leaves in its model file. */
public enum Keep {
  /** Those after the last epoch. */
  @JsonProperty("last")
  LAST,
  /** Those after the epoch that {@link TrainConfig#monitor} found best; the first of equals. */
  @JsonProperty("best")
  BEST
}
