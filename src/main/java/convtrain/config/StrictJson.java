package convtrain.config;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonMappingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.nio.file.Path;

/** Reads a JSON file into a record as strictly as a run file is read, with the same messages. */
public final class StrictJson {
  private StrictJson() {}

  /**
   * The record that a file holds.
   *
   * @throws ConfigException saying where, what was found and what was expected
   */
  public static <T extends Record> T read(Path file, Class<T> type) {
    Places places = new Places();
    ObjectNode root = JsonSource.read(file, "", places);
    return bind(root, type, new BindErrors(type, root, places));
  }

  static <T> T bind(JsonNode root, Class<T> type, BindErrors errors) {
    errors.checkTree();
    try {
      return Json.MAPPER.treeToValue(root, type);
    } catch (JsonMappingException e) {
      throw errors.explain(e);
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }
}
