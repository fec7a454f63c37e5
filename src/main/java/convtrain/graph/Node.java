package convtrain.graph;

import java.util.List;

/**
 * One layer of a {@link ModelGraph}, named and with its shapes known.
 *
 * @param index position in the graph; inputs have smaller ones
 * @param name unique name: the run file's, or type and ordinal ({@code conv2d1})
 * @param spec the layer
 * @param inputs index of each feeding node, or {@link #INPUT} for the network's input
 * @param in shape of one sample of each input
 * @param out shape of one output sample
 * @param parameters the tensors it owns
 */
public record Node(
    int index,
    String name,
    LayerSpec spec,
    List<Integer> inputs,
    List<Shape> in,
    Shape out,
    List<ParameterSpec> parameters) {
  /** The index that stands for the network's input. */
  public static final int INPUT = -1;

  public Node {
    inputs = List.copyOf(inputs);
    in = List.copyOf(in);
    parameters = List.copyOf(parameters);
  }

  /** Full name of one of its tensors in files: {@code conv2d1.weight}. */
  public String tensorName(ParameterSpec parameter) {
    return name + "." + parameter.name();
  }

  /** {@code conv1 (conv2d)}, for messages. */
  public String label() {
    return name + " (" + spec.type() + ")";
  }
}
