package convtrain.config;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import convtrain.graph.GraphException;
import convtrain.graph.ModelGraph;
import java.nio.file.Path;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Reads run files. Strict: unknown keys, wrong types and impossible values are errors. A key whose
 * value is null counts as absent; null inside a list is an error.
 */
public final class RunConfigLoader {
  private RunConfigLoader() {}

  /**
   * Loads a run file, applies overrides and checks the whole, the network's shapes included.
   *
   * @param file the run file; its {@code model} may be the path of a file that holds only the
   *     model, relative to the run file's folder
   * @param overrides {@code train.epochs=5}, applied in order; checked like the file. A model path
   *     given here is relative to the working directory
   * @throws ConfigException saying where, what was found and what was expected
   */
  public static RunConfig load(Path file, List<String> overrides) {
    Draft draft = new Draft(file);
    overrides.forEach(draft::set);
    return check(draft);
  }

  /**
   * Reads a run file that is kept elsewhere than in a file of its own, such as in a model's
   * metadata; it is checked like a file.
   *
   * @param source where the text comes from, for messages
   * @throws ConfigException saying where, what was found and what was expected
   */
  public static RunConfig parse(String source, String json) {
    return parse(source, json, List.of());
  }

  /** The same with overrides, as {@link #load} applies them. */
  public static RunConfig parse(String source, String json, List<String> overrides) {
    Draft draft = new Draft(source, json);
    overrides.forEach(draft::set);
    return check(draft);
  }

  private static RunConfig check(Draft draft) {
    draft.inlineModel();
    draft.spellOutLoss();
    BindErrors errors = new BindErrors(RunConfig.class, draft.root(), draft.places());
    RunConfig config = StrictJson.bind(draft.root(), RunConfig.class, errors);
    checkModel(config, errors);
    return config;
  }

  /** The complete run file, every default written out; it loads back to an equal value. */
  public static String toJson(RunConfig config) {
    try {
      return Json.prettyWriter().writeValueAsString(config) + "\n";
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  /**
   * Every value of the complete run file by its path, {@code train.optimizer.lr}, as JSON; what
   * differs between two runs differs here.
   */
  public static SortedMap<String, String> values(RunConfig config) {
    SortedMap<String, String> values = new TreeMap<>();
    collect("", Json.MAPPER.valueToTree(config), values);
    return values;
  }

  private static void collect(String path, JsonNode node, SortedMap<String, String> values) {
    if (node.isObject()) {
      node.properties()
          .forEach(
              field ->
                  collect(
                      path.isEmpty() ? field.getKey() : Places.child(path, field.getKey()),
                      field.getValue(),
                      values));
    } else if (node.isArray() && !node.isEmpty() && node.get(0).isContainerNode()) {
      for (int i = 0; i < node.size(); i++) {
        collect(Places.child(path, i), node.get(i), values);
      }
    } else {
      values.put(path, node.toString());
    }
  }

  private static void checkModel(RunConfig config, BindErrors errors) {
    try {
      ModelGraph graph = ModelGraph.of(config.model());
      graph.classes();
      if (graph.trainableParameters() == 0) {
        throw errors.rejected(
            "model.layers",
            "the network has no parameters, so nothing to train; add a layer that has some, such as linear or conv2d",
            null);
      }
    } catch (GraphException e) {
      throw errors.rejected("model.layers[" + e.layer() + "]", e.getMessage(), e);
    }
    try {
      config.data().normalize().means(config.model().input());
      config.data().normalize().stds(config.model().input());
    } catch (IllegalArgumentException e) {
      throw errors.rejected("data.normalize", e.getMessage(), e);
    }
    try {
      if (config.data().augment() != null) {
        config.data().augment().check(config.model().input());
      }
    } catch (IllegalArgumentException e) {
      throw errors.rejected("data.augment", e.getMessage(), e);
    }
  }
}
