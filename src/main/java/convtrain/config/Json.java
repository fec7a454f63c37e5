package convtrain.config;

import com.fasterxml.jackson.annotation.JsonInclude;
import com.fasterxml.jackson.annotation.JsonTypeName;
import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.MapperFeature;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.cfg.CoercionAction;
import com.fasterxml.jackson.databind.cfg.CoercionInputShape;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.type.LogicalType;
import convtrain.graph.LayerSpec;
import convtrain.graph.LossSpec;
import convtrain.graph.OptimizerSpec;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;

/** The one JSON reader and writer: strict, snake_case, and it knows every sealed type's records. */
final class Json {
  /** What the run file chooses between by {@code "type"}. */
  private static final List<Class<?>> CHOICES =
      List.of(LayerSpec.class, OptimizerSpec.class, ScheduleSpec.class, LossSpec.class);

  static final JsonMapper MAPPER = mapper();

  private Json() {}

  /** Pretty-printed, with the same line ends everywhere. */
  static ObjectWriter prettyWriter() {
    DefaultPrettyPrinter printer =
        new DefaultPrettyPrinter().withObjectIndenter(new DefaultIndenter("  ", "\n"));
    return MAPPER.writer(printer);
  }

  /** The records of a sealed interface, of those it permits in turn too. */
  static Stream<Class<?>> records(Class<?> type) {
    return type.isSealed()
        ? Arrays.stream(type.getPermittedSubclasses()).flatMap(Json::records)
        : Stream.of(type);
  }

  /** The words for the {@code "type"} of what {@code base} stands for; empty if it has none. */
  static List<String> typeNames(Class<?> base) {
    return records(base)
        .filter(record -> record.isAnnotationPresent(JsonTypeName.class))
        .map(record -> record.getAnnotation(JsonTypeName.class).value())
        .toList();
  }

  /** Whether the run file chooses between records by {@code "type"}. */
  static boolean isChosenByType(Class<?> type) {
    return CHOICES.stream().anyMatch(base -> base.isAssignableFrom(type));
  }

  private static JsonMapper mapper() {
    JsonMapper.Builder builder =
        JsonMapper.builder(
                JsonFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build())
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            .enable(DeserializationFeature.FAIL_ON_NUMBERS_FOR_ENUMS)
            .disable(DeserializationFeature.ACCEPT_FLOAT_AS_INT)
            .disable(MapperFeature.ALLOW_COERCION_OF_SCALARS)
            .defaultPropertyInclusion(
                JsonInclude.Value.construct(
                    JsonInclude.Include.NON_NULL, JsonInclude.Include.ALWAYS));
    for (LogicalType type : LogicalType.values()) {
      builder.withCoercionConfig(
          type, config -> config.setCoercion(CoercionInputShape.EmptyString, CoercionAction.Fail));
    }
    builder.withCoercionConfig(
        LogicalType.Textual,
        config ->
            config
                .setCoercion(CoercionInputShape.Boolean, CoercionAction.Fail)
                .setCoercion(CoercionInputShape.Integer, CoercionAction.Fail)
                .setCoercion(CoercionInputShape.Float, CoercionAction.Fail));
    CHOICES.stream().flatMap(Json::records).forEach(builder::registerSubtypes);
    return builder.build();
  }
}
