package convtrain.config;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.JsonNodeType;
import com.fasterxml.jackson.databind.node.MissingNode;
import convtrain.graph.AugmentSpec;
import convtrain.graph.EmaSpec;
import convtrain.graph.LossSpec;
import convtrain.graph.MixSpec;
import convtrain.graph.ModelSpec;
import convtrain.graph.OptimizerSpec;
import convtrain.graph.Padding;
import convtrain.graph.Pair;
import convtrain.graph.Shape;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.Type;
import java.util.Arrays;
import java.util.Map;
import java.util.stream.Collectors;

/** Words of error messages for what was found and what was expected. */
final class Words {
  private static final int LONGEST = 60;

  private static final Map<Type, String> FORMS =
      Map.of(
          Double.class, "a number",
          Boolean.class, "true or false",
          String.class, "a string",
          Pair.class, "an integer or [height, width]",
          Padding.class, "an integer, [height, width], \"same\" or \"valid\"",
          Shape.class, "[channels, height, width] or [features]",
          ModelSpec.class, "an object or the path of a model file");

  /** What an object may look like whose keys its name does not tell. */
  private static final Map<Type, String> EXAMPLES =
      Map.ofEntries(
          Map.entry(CheckpointEvery.class, "{\"epochs\": 2} or {\"steps\": 10}"),
          Map.entry(EarlyStopping.class, "{\"patience\": 5}"),
          Map.entry(EmaSpec.class, "{\"decay\": 0.99}"),
          Map.entry(MixSpec.Mixup.class, "{\"alpha\": 0.2}"),
          Map.entry(MixSpec.Cutmix.class, "{\"alpha\": 1}"),
          Map.entry(OptimizerSpec.class, "{\"type\": \"adam\", \"lr\": 0.001}"),
          Map.entry(ScheduleSpec.class, "{\"type\": \"one_cycle\", \"max_lr\": 0.1}"),
          Map.entry(Normalize.class, "{\"mean\": 0.5, \"std\": 0.25}"),
          Map.entry(AugmentSpec.class, "{\"random_crop\": {\"padding\": 2}}"),
          Map.entry(AugmentSpec.RandomAffine.class, "{\"degrees\": 10}"),
          Map.entry(AugmentSpec.ElasticTransform.class, "{\"alpha\": 50, \"sigma\": 5}"),
          Map.entry(AugmentSpec.RandomCrop.class, "{\"padding\": 2}"),
          Map.entry(AugmentSpec.RandomErasing.class, "{\"p\": 0.5}"));

  private Words() {}

  /** {@code "five" (a string)}. */
  static String found(JsonNode node) {
    JsonNodeType type = node.getNodeType();
    return switch (type) {
      case STRING -> shortened(node.toString()) + " (a string)";
      case NUMBER ->
          shortened(node.toString()) + (node.isIntegralNumber() ? " (an integer)" : " (a number)");
      case BOOLEAN -> node + " (a boolean)";
      case ARRAY -> "a list";
      case OBJECT -> "an object";
      case NULL -> "null";
      default -> "nothing";
    };
  }

  /** What a value of this type looks like in the run file, in view of what stands there. */
  static String expected(Type type, JsonNode found) {
    if (type instanceof ParameterizedType list) {
      Type element = list.getActualTypeArguments()[0];
      String one = expected(element, MissingNode.getInstance());
      return "a list of " + one.replaceFirst("^an? (\\w+)", "$1s");
    }
    if (type == Integer.class || type == int.class) {
      return "an integer" + (found.isIntegralNumber() ? " from -2^31 to 2^31 - 1" : "");
    }
    if (type == Long.class) {
      return "an integer" + (found.isIntegralNumber() ? " from -2^63 to 2^63 - 1" : "");
    }
    if (((Class<?>) type).isEnum()) {
      return "one of "
          + Arrays.stream(((Class<?>) type).getEnumConstants())
              .map(Json.MAPPER::valueToTree)
              .map(Object::toString)
              .collect(Collectors.joining(", "));
    }
    if (Json.isChosenByType((Class<?>) type)) {
      return (type == LossSpec.class ? "a loss's name or " : "")
          + "an object with a \"type\""
          + example(type);
    }
    return FORMS.getOrDefault(type, "an object" + example(type));
  }

  private static String example(Type type) {
    String example = EXAMPLES.get(type);
    return example == null ? "" : ", such as " + example;
  }

  private static String shortened(String text) {
    return text.length() <= LONGEST ? text : text.substring(0, LONGEST - 4) + "...\"";
  }
}
