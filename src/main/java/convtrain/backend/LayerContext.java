package convtrain.backend;

import convtrain.graph.Node;
import java.util.List;
import java.util.Map;

/**
 * What the op of a layer is made for.
 *
 * @param node the layer with its shapes
 * @param fused layers that follow it and that this op also computes; accepted by {@link
 *     OpFactory#fuses}
 * @param needsInputGradient per input, whether its gradient is wanted
 * @param layouts storage of each of its tensors, by name within the layer
 * @param random seed and step of the run, for dropout
 */
public record LayerContext(
    Node node,
    List<Node> fused,
    List<Boolean> needsInputGradient,
    Map<String, ParameterLayout> layouts,
    RandomState random) {}
