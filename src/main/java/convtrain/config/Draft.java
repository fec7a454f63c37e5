package convtrain.config;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The run file's tree while overrides are written into it; knows each value's place. */
final class Draft {
  private static final Pattern PATH =
      Pattern.compile("[A-Za-z0-9_]+(\\[\\d{1,9}])*(\\.[A-Za-z0-9_]+(\\[\\d{1,9}])*)*");
  private static final Pattern STEP = Pattern.compile("([A-Za-z0-9_]+)|\\[(\\d+)]");

  private final ObjectNode root;
  private final Places places = new Places();

  /** Folder from which a model's path counts: the run file's, or null for the working directory. */
  private Path modelBase;

  Draft(Path file) {
    root = JsonSource.read(file, "", places);
    modelBase = file.getParent();
    if (!root.has("name")) {
      String base = String.valueOf(file.getFileName());
      root.put("name", base.replaceFirst("(?i)(?<=.)\\.json$", ""));
    }
  }

  /**
   * Of a text; a model that is a path counts from the working directory.
   *
   * @param source where the text comes from, for messages
   */
  Draft(String source, String text) {
    root = JsonSource.parse(source, text, "", places);
  }

  ObjectNode root() {
    return root;
  }

  Places places() {
    return places;
  }

  /**
   * Applies one {@code --set}: {@code path=value}, the value as JSON if it is JSON, else as a
   * string.
   */
  void set(String override) {
    String place = "--set " + override;
    int equals = override.indexOf('=');
    String path = equals < 0 ? override : override.substring(0, equals);
    if (equals < 0 || !PATH.matcher(path).matches()) {
      throw new ConfigException(
          place + ": expected path=value, such as train.epochs=5 or model.layers[3].p=0.1");
    }
    List<Object> steps = new ArrayList<>();
    Matcher matcher = STEP.matcher(path);
    while (matcher.find()) {
      steps.add(matcher.group(1) != null ? matcher.group(1) : Integer.valueOf(matcher.group(2)));
    }
    new Write(place).apply(steps, value(override.substring(equals + 1)));
  }

  /** Puts a model that is given as a path in the path's place. */
  void inlineModel() {
    JsonNode model = root.path("model");
    if (!model.isTextual()) {
      return;
    }
    root.set("model", JsonSource.read(modelFile(model.textValue()), "model", places));
  }

  /** Spells a loss that is given by its name alone out as an object. */
  void spellOutLoss() {
    if (root.path("train").path("loss").isTextual()) {
      ObjectNode train = (ObjectNode) root.get("train");
      train.set("loss", root.objectNode().set("type", train.get("loss")));
    }
  }

  private Path modelFile(String name) {
    try {
      Path file = modelBase == null ? Path.of(name) : modelBase.resolve(name);
      if (Files.isRegularFile(file)) {
        return file.normalize();
      }
      throw new ConfigException(
          "%s: model: found \"%s\", but there is no file %s; expected an object or the path of a model file, relative to the %s"
              .formatted(
                  places.of("model"),
                  name,
                  file.normalize(),
                  modelBase == null ? "working directory" : "run file"));
    } catch (InvalidPathException e) {
      throw new ConfigException(
          places.of("model") + ": model: found \"" + name + "\", which is no file name", e);
    }
  }

  private static JsonNode value(String text) {
    try {
      JsonNode json = Json.MAPPER.readTree(text);
      return json.isMissingNode() ? TextNode.valueOf(text) : json;
    } catch (JsonProcessingException e) {
      return TextNode.valueOf(text);
    }
  }

  /** One override on its way down the tree. */
  private final class Write {
    private final String place;
    private JsonNode node = root;
    private String path = "";

    Write(String place) {
      this.place = place;
    }

    void apply(List<Object> steps, JsonNode value) {
      int last = steps.size() - 1;
      for (Object step : steps.subList(0, last)) {
        descend(step);
      }
      checkHolds(steps.get(last));
      put(steps.get(last), value);
      if (path.equals("model")) {
        modelBase = null;
      }
    }

    private void descend(Object step) {
      checkHolds(step);
      JsonNode child = child(step);
      if (child.isMissingNode() || child.isNull()) {
        put(step, start(childPath(step)));
      } else {
        path = childPath(step);
      }
      if (path.equals("model")) {
        inlineModel();
      } else if (path.equals("train.loss")) {
        spellOutLoss();
      }
      node = child(step);
    }

    /** What an override of a part begins with where the whole is absent. */
    private ObjectNode start(String whole) {
      ObjectNode object = root.objectNode();
      return whole.equals("train.loss") ? object.put("type", "cross_entropy") : object;
    }

    private void put(Object step, JsonNode value) {
      path = childPath(step);
      if (step instanceof Integer index) {
        ((ArrayNode) node).set(index, value);
      } else {
        ((ObjectNode) node).set((String) step, value);
      }
      places.replace(path, place);
    }

    private JsonNode child(Object step) {
      return step instanceof Integer index ? node.path(index) : node.path((String) step);
    }

    private String childPath(Object step) {
      return step instanceof Integer index
          ? Places.child(path, index)
          : Places.child(path, (String) step);
    }

    private void checkHolds(Object step) {
      boolean wantsList = step instanceof Integer;
      if (wantsList ? !node.isArray() : !node.isObject()) {
        throw new ConfigException(
            "%s: %s is %s, so it has no %s"
                .formatted(place, path, Words.found(node), wantsList ? "elements" : "keys"));
      }
      if (step instanceof Integer index && index >= node.size()) {
        throw new ConfigException(
            "%s: %s has %d elements, counted from [0]".formatted(place, path, node.size()));
      }
    }
  }
}
