package convtrain.config;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.Locale;

/**
 * The number of an epoch that decides which weights are kept, when training stops early and when
 * the learning rate falls. The test set is watched only where the run file says so by name, and
 * what was chosen by it is marked wherever its result is shown.
 */
public enum Monitor {
  @JsonProperty("validation_loss")
  VALIDATION_LOSS,
  @JsonProperty("validation_accuracy")
  VALIDATION_ACCURACY,
  @JsonProperty("train_loss")
  TRAIN_LOSS,
  @JsonProperty("train_accuracy")
  TRAIN_ACCURACY,
  @JsonProperty("test_loss")
  TEST_LOSS,
  @JsonProperty("test_accuracy")
  TEST_ACCURACY;

  /** The run file's and metrics.jsonl's word. */
  public String word() {
    return name().toLowerCase(Locale.ROOT);
  }

  /** Whether it needs {@code data.validation_split}. */
  public boolean onValidation() {
    return name().startsWith("VALIDATION");
  }

  /** Whether choosing by it makes the test result too good. */
  public boolean onTest() {
    return name().startsWith("TEST");
  }

  /** Whether less of it is better: a loss. */
  public boolean lowerIsBetter() {
    return name().endsWith("LOSS");
  }
}
