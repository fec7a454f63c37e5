package convtrain.plan;

import convtrain.backend.LayerOp;
import convtrain.graph.Node;
import convtrain.plan.Work.Kind;
import java.util.ArrayList;
import java.util.List;

/**
 * A layer with those fused into it: what one op computes.
 *
 * @param position in the order of the forward pass, from 0
 * @param head the layer whose inputs it reads
 * @param fused the layers behind it
 * @param output the tensor it writes: index of its last node
 * @param inputGradients for each of the head's inputs, whether its gradient is wanted
 * @param needsGradient whether anything trained stands at or before its output
 * @param op what computes it
 */
record Group(
    int position,
    Node head,
    List<Node> fused,
    int output,
    List<Boolean> inputGradients,
    boolean needsGradient,
    LayerOp op) {

  /** {@code bn1 (batch_norm2d) + relu1 (relu)}, for messages and profiles. */
  String label() {
    StringBuilder label = new StringBuilder(head.label());
    fused.forEach(node -> label.append(" + ").append(node.label()));
    return label.toString();
  }

  Work work() {
    List<Node> layers = new ArrayList<>(List.of(head));
    layers.addAll(fused);
    Node last = layers.get(layers.size() - 1);
    return new Work(Kind.LAYER, layers, head.in(), last.out(), inputGradients);
  }
}
