package convtrain.backend;

import java.util.List;
import java.util.Map;

/**
 * The memory of one layer. Activations and their gradients are [N, H, W, C], in the precision of
 * {@link OpFactory#precision}.
 *
 * @param x inputs
 * @param y output
 * @param dx gradients of the inputs; null where nobody needs one (the network's input)
 * @param dy gradient of the output; null when this op's backward pass is never run
 * @param parameters the layer's tensors by their name within the layer ({@code weight}), laid out
 *     as {@link OpFactory#parameterLayout} said
 * @param gradients their gradients, same names and layout; trained ones only, empty without
 *     backward
 * @param saved {@link LayerOp.Needs#savedBytes}, or null if none
 * @param scratch {@link LayerOp.Needs#scratchBytes} or more, or null if none
 */
public record Binding(
    List<DeviceBuffer> x,
    DeviceBuffer y,
    List<DeviceBuffer> dx,
    DeviceBuffer dy,
    Map<String, DeviceBuffer> parameters,
    Map<String, DeviceBuffer> gradients,
    DeviceBuffer saved,
    DeviceBuffer scratch) {}
