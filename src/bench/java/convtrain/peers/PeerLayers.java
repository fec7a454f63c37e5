package convtrain.peers;

import convtrain.graph.LayerSpec;
import convtrain.graph.Node;
import convtrain.graph.Window2d;

/**
 * Turns layers into an engine's own, of those that every engine is asked for.
 *
 * @param <R> a layer there
 */
abstract class PeerLayers<R> implements LayerSpec.Visitor<R, Node> {
  @Override
  public R avgPool2d(LayerSpec.AvgPool2d spec, Node node) {
    throw unsupported(node);
  }

  @Override
  public R softmax(LayerSpec.AnySoftmax spec, Node node) {
    throw unsupported(node);
  }

  @Override
  public R add(LayerSpec.Add spec, Node node) {
    throw unsupported(node);
  }

  @Override
  public R concat(LayerSpec.Concat spec, Node node) {
    throw unsupported(node);
  }

  /** Lets ReLU pass and no other activation. */
  static void checkRelu(LayerSpec.Activation spec, Node node) {
    if (!(spec instanceof LayerSpec.Relu)) {
      throw unsupported(node);
    }
  }

  /** The window of a node's layer over its input, padded alike on opposite sides. */
  static Window2d checked(Window2d window, Node node) {
    if (window.padTop() != window.padBottom() || window.padLeft() != window.padRight()) {
      throw new IllegalArgumentException(
          node.label() + ": padding differs between opposite sides; use an odd kernel_size");
    }
    return window;
  }

  /** A node that reads the one before it, as in engines that take a list of layers. */
  static Node checkedChain(PeerRun run, Node node) {
    int before = run.graph().nodes().indexOf(node) - 1;
    if (node.inputs().get(0) != before) {
      throw new IllegalArgumentException(
          node.label() + ": reads another layer than the one before it, which this engine cannot");
    }
    return node;
  }

  private static IllegalArgumentException unsupported(Node node) {
    return new IllegalArgumentException(
        node.label()
            + ": not in the comparison; use conv2d, linear, batch_norm2d, max_pool2d,"
            + " global_avg_pool, relu, dropout or flatten");
  }
}
