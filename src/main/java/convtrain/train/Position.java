package convtrain.train;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.util.List;

/**
 * How far a run came. Everything else that the training loop decides by (the best epoch, patience,
 * plateaus) follows from the epochs' numbers; every random draw follows from the seed and the step.
 *
 * @param epoch the one in progress, from 1
 * @param batch batches of that epoch that were trained
 * @param trainSeconds spent on them
 * @param history the epochs before it, in order
 */
record Position(int epoch, int batch, double trainSeconds, List<EpochRecord> history) {
  private static final JsonMapper JSON =
      JsonMapper.builder().propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE).build();

  Position {
    history = List.copyOf(history);
    if (epoch != history.size() + 1 || batch < 0) {
      throw new IllegalArgumentException(
          "epoch %d, batch %d do not follow %d epochs".formatted(epoch, batch, history.size()));
    }
  }

  String toJson() {
    try {
      return JSON.writeValueAsString(this);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Doubles come back with the same bits. */
  static Position parse(String json) {
    try {
      return JSON.readValue(json, Position.class);
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException("its position is malformed: " + e.getOriginalMessage(), e);
    }
  }
}
