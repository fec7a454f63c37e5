package convtrain.config;

import com.fasterxml.jackson.annotation.JsonProperty;
import convtrain.graph.Check;
import convtrain.graph.ModelSpec;

/**
 * A whole run file.
 *
 * @param name names the run's folder; by default the run file's base name
 * @param seed starts every random sequence of the run; 0 or more, default 1
 * @param data what is learnt from
 * @param model the network
 * @param train how it is trained
 */
public record RunConfig(
    String name,
    Long seed,
    @JsonProperty(required = true) DataConfig data,
    @JsonProperty(required = true) ModelSpec model,
    @JsonProperty(required = true) TrainConfig train) {
  public RunConfig {
    name = fileName(Check.given(name, "name"), "name");
    seed = Check.or(seed, 1L);
    if (seed < 0) {
      throw new IllegalArgumentException("seed=" + seed + "; expected at least 0");
    }
    Check.given(data, "data");
    Check.given(model, "model");
    Check.given(train, "train");
    if (train.monitored() != null
        && train.monitor().onValidation()
        && data.validationSplit() == 0) {
      throw new IllegalArgumentException(
          ("train.%s has train.monitor=%s to go by, but data.validation_split=0; set"
                  + " data.validation_split, such as 0.1, or another train.monitor (the test set's"
                  + " only if the result need not be fair)")
              .formatted(train.monitored(), train.monitor().word()));
    }
  }

  /** Rejects what would lead to another folder, be hidden or be taken for an option. */
  static String fileName(String value, String key) {
    if (!value.matches("[\\p{L}\\p{N}_][\\p{L}\\p{N}_ .,()+=-]*")) {
      throw new IllegalArgumentException(
          key
              + "=\""
              + value
              + "\"; expected a file name: letters, digits, spaces and _ . , ( ) + = -, beginning"
              + " with a letter, a digit or _");
    }
    return value;
  }
}
