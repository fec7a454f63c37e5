package convtrain.config;

import com.fasterxml.jackson.annotation.JsonFormat;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.PropertyNamingStrategies.SnakeCaseStrategy;
import java.lang.reflect.ParameterizedType;
import java.lang.reflect.RecordComponent;
import java.lang.reflect.Type;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;

/** What the run file may hold at each place, read off the records. */
final class Schema {
  /** Hears of a key that no record has, before binding complains of what is missing instead. */
  interface UnknownKey {
    void found(String path, String key, TreeSet<String> known);
  }

  private static final SnakeCaseStrategy SNAKE_CASE = new SnakeCaseStrategy();

  private Schema() {}

  /** Tells every unknown key under {@code node}, which stands for a value of {@code type}. */
  static void checkKeys(Type type, JsonNode node, String path, UnknownKey listener) {
    if (type instanceof ParameterizedType list) {
      for (int i = 0; node.isArray() && i < node.size(); i++) {
        checkKeys(list.getActualTypeArguments()[0], node.get(i), Places.child(path, i), listener);
      }
      return;
    }
    Optional<Class<?>> record = record((Class<?>) type, node);
    if (record.isEmpty() || !node.isObject()) {
      return;
    }
    Map<String, RecordComponent> components = components(record.get());
    boolean chosen = Json.isChosenByType(record.get());
    node.fieldNames()
        .forEachRemaining(
            key -> {
              RecordComponent component = components.get(key);
              if (component != null) {
                Type inner = component.getGenericType();
                checkKeys(inner, node.get(key), Places.child(path, key), listener);
              } else if (!(chosen && key.equals("type"))) {
                TreeSet<String> known = new TreeSet<>(components.keySet());
                known.addAll(chosen ? List.of("type") : List.of());
                listener.found(Places.child(path, key), key, known);
              }
            });
  }

  /** Words for what may stand at a path of the file whose whole is a {@code whole}. */
  static String expectedAt(
      Class<?> whole, JsonNode root, List<JsonMappingException.Reference> path) {
    Type type = whole;
    JsonNode node = root;
    boolean singleToo = false;
    for (JsonMappingException.Reference step : path) {
      String key = step.getFieldName();
      if (key == null) {
        type =
            type instanceof ParameterizedType list ? list.getActualTypeArguments()[0] : int.class;
        node = node.path(step.getIndex());
        singleToo = false;
      } else {
        RecordComponent component =
            record((Class<?>) type, node).map(record -> components(record).get(key)).orElse(null);
        if (component == null) {
          return "a value";
        }
        type = component.getGenericType();
        singleToo = component.getAccessor().isAnnotationPresent(JsonFormat.class);
        node = node.path(key);
      }
    }
    return (singleToo ? "a number or " : "") + Words.expected(type, node);
  }

  private static Optional<Class<?>> record(Class<?> type, JsonNode node) {
    return Json.records(type)
        .filter(Class::isRecord)
        .filter(
            record ->
                !Json.isChosenByType(record)
                    || Json.typeNames(record).contains(node.path("type").textValue()))
        .findFirst();
  }

  private static Map<String, RecordComponent> components(Class<?> record) {
    Map<String, RecordComponent> components = new LinkedHashMap<>();
    Arrays.stream(record.getRecordComponents())
        .forEach(component -> components.put(SNAKE_CASE.translate(component.getName()), component));
    return components;
  }
}
