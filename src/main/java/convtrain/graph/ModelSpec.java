package convtrain.graph;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.util.List;

/**
 * The run file's {@code model}: the shape of an input sample and the layers, each after those that
 * feed it.
 *
 * @param input [C, H, W] of an image or [F] of a vector
 * @param layers at least one
 */
public record ModelSpec(
    @JsonProperty(required = true) Shape input,
    @JsonProperty(required = true) List<LayerSpec> layers) {
  public ModelSpec {
    Check.given(input, "input");
    if (layers == null || layers.isEmpty()) {
      throw new IllegalArgumentException("layers is empty; expected at least one layer");
    }
    layers = List.copyOf(layers);
  }
}
