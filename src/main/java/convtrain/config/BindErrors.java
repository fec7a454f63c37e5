package convtrain.config;

import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.exc.InvalidTypeIdException;
import com.fasterxml.jackson.databind.exc.ValueInstantiationException;
import convtrain.graph.Names;
import java.util.Collection;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Words a failed binding or check as {@code place: path: found, expected, known names}. */
final class BindErrors {
  private static final Pattern LAYER = Pattern.compile("model\\.layers\\[(\\d+)]");
  private static final Pattern LEADING_KEY =
      Pattern.compile("([a-z][a-z0-9_.\\[\\]]*)(=| is | has ).*");

  private final Class<?> type;
  private final JsonNode root;
  private final Places places;

  /**
   * @param type the record that the whole file stands for
   */
  BindErrors(Class<?> type, JsonNode root, Places places) {
    this.type = type;
    this.root = root;
    this.places = places;
  }

  /**
   * What a record's check said of the value at {@code path}. If its message begins with one of the
   * value's keys, that key's place counts.
   */
  ConfigException rejected(String path, String message, Throwable cause) {
    Matcher key = LEADING_KEY.matcher(message);
    String place = places.of(key.matches() ? Places.child(path, key.group(1)) : path);
    return new ConfigException(place + ": " + label(path) + message, cause);
  }

  /** Rejects keys that no record has and nulls in lists. */
  void checkTree() {
    Schema.checkKeys(type, root, "", this::unknownKey);
    rejectNullElements("", root);
  }

  ConfigException explain(JsonMappingException e) {
    List<JsonMappingException.Reference> steps = e.getPath();
    int last = steps.size() - 1;
    JsonNode node = nodeAt(steps);
    if (last >= 0 && steps.get(last).getFieldName() == null && node.isMissingNode()) {
      // A single value that was read as a list of one.
      steps = steps.subList(0, last);
      node = nodeAt(steps);
    }
    String path = pathOf(steps);
    if (e instanceof ValueInstantiationException && e.getCause() != null) {
      return rejected(path, e.getCause().getMessage(), e);
    }
    if (e instanceof InvalidTypeIdException wrongType
        && (node.isObject() || path.endsWith(".type"))) {
      return wrongType(path, node, wrongType);
    }
    String expected = ", expected " + Schema.expectedAt(type, root, steps);
    if (node.isMissingNode()) {
      String parent = Places.parent(path);
      String key = path.substring(parent.isEmpty() ? 0 : parent.length() + 1);
      return rejected(parent, key + " is missing;" + expected.substring(1), e);
    }
    return at(path, "found " + Words.found(node) + expected, e);
  }

  private void unknownKey(String path, String key, Collection<String> known) {
    throw at(path, "unknown key; known keys: " + nearestFirst(key, known), null);
  }

  private void rejectNullElements(String path, JsonNode node) {
    if (node.isNull() && path.endsWith("]")) {
      throw at(path, "found null, expected a value", null);
    }
    for (int i = 0; node.isArray() && i < node.size(); i++) {
      rejectNullElements(Places.child(path, i), node.get(i));
    }
    node.fieldNames()
        .forEachRemaining(key -> rejectNullElements(Places.child(path, key), node.get(key)));
  }

  private JsonNode nodeAt(List<JsonMappingException.Reference> steps) {
    JsonNode node = root;
    for (JsonMappingException.Reference step : steps) {
      String key = step.getFieldName();
      node = key == null ? node.path(step.getIndex()) : node.path(key);
    }
    return node;
  }

  private static String pathOf(List<JsonMappingException.Reference> steps) {
    String path = "";
    for (JsonMappingException.Reference step : steps) {
      String key = step.getFieldName();
      path = key == null ? Places.child(path, step.getIndex()) : Places.child(path, key);
    }
    return path;
  }

  private ConfigException wrongType(String path, JsonNode node, InvalidTypeIdException e) {
    String typePath = path.endsWith(".type") ? path : Places.child(path, "type");
    List<String> known = Json.typeNames(e.getBaseType().getRawClass());
    String kind = kind(path);
    JsonNode found = node.isObject() ? node.path("type") : node;
    if (found.isMissingNode()) {
      return rejected(path, "type is missing; known types: " + String.join(", ", known), e);
    }
    if (!found.isTextual()) {
      return at(typePath, "found " + Words.found(found) + ", expected a string", e);
    }
    return at(
        typePath,
        "unknown %s type \"%s\"; known types: %s"
            .formatted(kind, found.textValue(), nearestFirst(found.textValue(), known)),
        e);
  }

  private static String kind(String path) {
    return LAYER.matcher(path).lookingAt()
        ? "layer"
        : path.replaceFirst("\\.type$", "").replaceFirst(".*\\.", "");
  }

  private ConfigException at(String path, String message, Throwable cause) {
    return new ConfigException(places.of(path) + ": " + label(path) + message, cause);
  }

  /** {@code model.layers[4] "conv3": }, with the name that the layer has or would get. */
  private String label(String path) {
    if (path.isEmpty()) {
      return "";
    }
    Matcher layer = LAYER.matcher(path);
    return layer.matches()
        ? path + " \"" + layerName(Integer.parseInt(layer.group(1))) + "\": "
        : path + ": ";
  }

  private String layerName(int index) {
    JsonNode layers = root.path("model").path("layers");
    JsonNode layer = layers.path(index);
    if (layer.path("name").isTextual()) {
      return layer.path("name").textValue();
    }
    String type = layer.path("type").asText("layer");
    int ordinal = 1;
    for (int i = 0; i < index; i++) {
      ordinal += layers.path(i).path("type").asText("layer").equals(type) ? 1 : 0;
    }
    return type + ordinal;
  }

  private static String nearestFirst(String found, Collection<String> known) {
    return String.join(", ", Names.nearestFirst(found, known));
  }
}
