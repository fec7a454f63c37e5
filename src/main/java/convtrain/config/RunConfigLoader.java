package convtrain.config;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonNode;
import convtrain.graph.GraphException;
import convtrain.graph.ModelGraph;
import java.nio.file.Path;
import java.util.List;

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
    return check(new Draft(source, json));
  }

  private static RunConfig check(Draft draft) {
    draft.inlineModel();
    draft.spellOutLoss();
    BindErrors errors = new BindErrors(draft.root(), draft.places());
    errors.checkTree();
    RunConfig config = bind(draft.root(), errors);
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

  private static RunConfig bind(JsonNode root, BindErrors errors) {
    try {
      return Json.MAPPER.treeToValue(root, RunConfig.class);
    } catch (JsonMappingException e) {
      throw errors.explain(e);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  private static void checkModel(RunConfig config, BindErrors errors) {
    try {
      ModelGraph.of(config.model()).classes();
    } catch (GraphException e) {
      throw errors.rejected("model.layers[" + e.layer() + "]", e.getMessage(), e);
    }
    try {
      config.data().normalize().means(config.model().input());
      config.data().normalize().stds(config.model().input());
    } catch (IllegalArgumentException e) {
      throw errors.rejected("data.normalize", e.getMessage(), e);
    }
  }
}
