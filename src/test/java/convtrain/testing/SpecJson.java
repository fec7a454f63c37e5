package convtrain.testing;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import convtrain.config.ScheduleSpec;
import convtrain.graph.LayerSpec;
import convtrain.graph.LossSpec;
import convtrain.graph.OptimizerSpec;
import java.io.UncheckedIOException;

/**
 * Reads the run file's words for a model, a loss, an optimizer or a schedule straight into records.
 */
public final class SpecJson {
  private static final ObjectMapper MAPPER =
      register(
          register(
              register(
                  register(
                      JsonMapper.builder()
                          .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
                          .build(),
                      LayerSpec.class),
                  OptimizerSpec.class),
              ScheduleSpec.class),
          LossSpec.class);

  private SpecJson() {}

  /**
   * A {@code ModelSpec}, {@code LayerSpec}, {@code LossSpec}, {@code OptimizerSpec} or {@code
   * ScheduleSpec}.
   */
  public static <T> T read(JsonNode words, Class<T> type) {
    try {
      return MAPPER.treeToValue(words, type);
    } catch (JsonProcessingException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** Any JSON text. */
  public static JsonNode parse(String json) {
    try {
      return MAPPER.readTree(json);
    } catch (JsonProcessingException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static ObjectMapper register(ObjectMapper mapper, Class<?> sealed) {
    for (Class<?> permitted : sealed.getPermittedSubclasses()) {
      if (permitted.isSealed()) {
        register(mapper, permitted);
      } else {
        mapper.registerSubtypes(permitted);
      }
    }
    return mapper;
  }
}
