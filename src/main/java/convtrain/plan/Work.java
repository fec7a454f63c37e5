package convtrain.plan;

import convtrain.graph.Node;
import convtrain.graph.Shape;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * What an entry of a step computes and on what, for profiles.
 *
 * @param layers the layer and those fused into it; of other kinds none
 * @param in shape of a sample of each tensor it reads; none of what works on parameters
 * @param out shape of a sample of the tensor it writes; null of what works on parameters
 * @param inputGradients of a layer: for each input, whether the backward pass computes its gradient
 */
public record Work(
    Kind kind, List<Node> layers, List<Shape> in, Shape out, List<Boolean> inputGradients) {
  /** What sort of work it is. */
  public enum Kind {
    /** Bytes become the network's input. */
    STAGE,
    /** Samples of a batch are mixed with each other. */
    MIX,
    /** A layer's forward or backward pass. */
    LAYER,
    /** The loss, its gradient and the metrics. */
    LOSS,
    /** Several gradients of one tensor are added up. */
    SUM,
    /** Parameters' gradients are added to those of the batches before. */
    ACCUMULATE,
    /** The optimizer's formula. */
    UPDATE,
    /** The moving average of all tensors. */
    AVERAGE
  }

  public Work {
    layers = List.copyOf(layers);
    in = List.copyOf(in);
    inputGradients = List.copyOf(inputGradients);
  }

  static Work ofParameters(Kind kind) {
    return new Work(kind, List.of(), List.of(), null, List.of());
  }

  static Work of(Kind kind, Shape in, Shape out) {
    return new Work(kind, List.of(), List.of(in), out, List.of());
  }

  static Work sum(int parts, Shape shape) {
    return new Work(Kind.SUM, List.of(), Collections.nCopies(parts, shape), shape, List.of());
  }

  /** The layers' types, {@code batch_norm2d + relu}, or the kind in lower case. */
  public String kindInWords() {
    return layers.isEmpty()
        ? kind.name().toLowerCase(Locale.ROOT)
        : layers.stream().map(node -> node.spec().type()).collect(Collectors.joining(" + "));
  }
}
