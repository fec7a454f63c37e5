package convtrain.testing;

import convtrain.graph.Node;
import convtrain.graph.Shape;
import java.util.List;
import java.util.Map;

/**
 * One layer in double precision, by plain loops over NCHW arrays: slow and obvious.
 *
 * <p>{@code forward} keeps what {@code backward} needs; a second forward replaces it.
 */
public interface ReferenceOp {
  /**
   * What an op is made for.
   *
   * @param node the layer with its shapes
   * @param n samples in the batch
   * @param training whether batch norm and dropout behave as in training
   * @param parameters the layer's tensors by name within it, PyTorch's layout; running statistics
   *     are updated in place by a training forward
   * @param dropoutFactors what dropout multiplies each element by in training, [N, C, H, W]: 0 or 1
   *     / (1 - p); null for all ones
   */
  record Setting(
      Node node,
      int n,
      boolean training,
      Map<String, double[]> parameters,
      double[] dropoutFactors) {
    Shape in() {
      return node.in().get(0);
    }

    Shape out() {
      return node.out();
    }

    /** A tensor of the layer, or null if it has none of that name. */
    double[] parameter(String name) {
      return parameters.get(name);
    }
  }

  /**
   * What flows back.
   *
   * @param dx gradient of each input
   * @param parameters gradient of each trained tensor by name within the layer
   */
  record Gradients(List<double[]> dx, Map<String, double[]> parameters) {
    static Gradients ofInput(double[] dx) {
      return new Gradients(List.of(dx), Map.of());
    }
  }

  /** y from the inputs, each [N, C, H, W]. */
  double[] forward(List<double[]> x);

  /** Gradients from dy, that of y, after a forward pass. */
  Gradients backward(double[] dy);
}
