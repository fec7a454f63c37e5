package convtrain.peers;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import convtrain.graph.LayerSpec;
import convtrain.graph.ModelGraph;
import convtrain.graph.ModelSpec;
import java.io.IOException;
import java.nio.file.Path;

/** Reads a file that holds a run file's {@code model} and nothing else. */
final class ModelFile {
  private ModelFile() {}

  /** The network of a model file, shapes and parameters inferred. */
  static ModelGraph read(Path file) throws IOException {
    ObjectMapper mapper =
        JsonMapper.builder().propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE).build();
    registerLeaves(mapper, LayerSpec.class);
    return ModelGraph.of(mapper.readValue(file.toFile(), ModelSpec.class));
  }

  private static void registerLeaves(ObjectMapper mapper, Class<?> type) {
    if (!type.isSealed()) {
      mapper.registerSubtypes(type);
      return;
    }
    for (Class<?> each : type.getPermittedSubclasses()) {
      registerLeaves(mapper, each);
    }
  }
}
