package convtrain.graph;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;

/**
 * The network as a directed acyclic graph in execution order, every shape and parameter inferred.
 *
 * <p>The last layer is the output. Layers form a chain unless they name their {@code inputs}.
 */
public final class ModelGraph {
  private final Shape input;
  private final List<Node> nodes;

  private ModelGraph(Shape input, List<Node> nodes) {
    this.input = input;
    this.nodes = List.copyOf(nodes);
  }

  /**
   * Names the layers, connects them and infers their shapes.
   *
   * @throws GraphException naming the first layer that does not fit and why
   */
  public static ModelGraph of(ModelSpec model) {
    Builder builder = new Builder(model.input());
    for (LayerSpec layer : model.layers()) {
      builder.append(layer);
    }
    return builder.build();
  }

  /** Shape of one input sample. */
  public Shape input() {
    return input;
  }

  /** The layers in execution order: each stands after those that feed it. */
  public List<Node> nodes() {
    return nodes;
  }

  /** Shape that a node's input index stands for. */
  public Shape shapeOf(int index) {
    return index == Node.INPUT ? input : nodes.get(index).out();
  }

  /** The last layer. */
  public Node output() {
    return nodes.get(nodes.size() - 1);
  }

  /**
   * Index of the tensor that holds the logits: the output, or what feeds a final softmax or
   * log_softmax. Cross-entropy works on it, so that a written-out softmax is neither applied twice
   * nor loses precision.
   */
  public int logits() {
    return output().spec() instanceof LayerSpec.AnySoftmax
        ? output().inputs().get(0)
        : output().index();
  }

  /** Index of the tensor that a loss works on: {@link #logits}, or for mse the output itself. */
  public int lossInput(LossSpec loss) {
    return loss instanceof LossSpec.CrossEntropy ? logits() : output().index();
  }

  /**
   * Number of classes the network tells apart.
   *
   * @throws GraphException if the output is not one value per class
   */
  public int classes() {
    Shape out = output().out();
    if (!out.isVector()) {
      throw new GraphException(
          output().index(),
          output().name(),
          "the network's output is "
              + out
              + "; a classifier ends in [classes] or [classes, 1, 1]: add global_avg_pool, or"
              + " flatten and linear",
          null);
    }
    return out.channels();
  }

  /** Trained parameters, counted in values. */
  public long trainableParameters() {
    return nodes.stream()
        .flatMap(node -> node.parameters().stream())
        .filter(ParameterSpec::trainable)
        .mapToLong(ParameterSpec::elements)
        .sum();
  }

  /** Multiply-adds of one sample's forward pass. */
  public long macs() {
    return nodes.stream().mapToLong(node -> node.spec().macs(node.in())).sum();
  }

  /** Appends layers one by one; knows the names so far. */
  private static final class Builder {
    private final Shape input;
    private final List<Node> nodes = new ArrayList<>();
    private final Map<String, Integer> byName = new LinkedHashMap<>();
    private final Map<String, Integer> ordinals = new HashMap<>();
    private final TreeSet<Integer> unread = new TreeSet<>();

    Builder(Shape input) {
      this.input = input;
      byName.put("input", Node.INPUT);
    }

    void append(LayerSpec layer) {
      int index = nodes.size();
      int ordinal = ordinals.merge(layer.type(), 1, Integer::sum);
      String name = layer.name() != null ? layer.name() : layer.type() + ordinal;
      try {
        checkName(name);
        List<Integer> inputs = resolve(layer, index);
        List<Shape> in = inputs.stream().map(this::shapeOf).toList();
        Shape out = layer.outputShape(in);
        nodes.add(new Node(index, name, layer, inputs, in, out, layer.parameters(in)));
        byName.put(name, index);
        inputs.forEach(unread::remove);
        unread.add(index);
      } catch (GraphException e) {
        throw e;
      } catch (IllegalArgumentException | ArithmeticException e) {
        throw new GraphException(index, name, e.getMessage(), e);
      }
    }

    ModelGraph build() {
      int last = nodes.size() - 1;
      unread.remove(last);
      if (!unread.isEmpty()) {
        Node lost = nodes.get(unread.first());
        throw new GraphException(
            lost.index(),
            lost.name(),
            "its output is read by no layer; name it in a later layer's \"inputs\" or remove it",
            null);
      }
      return new ModelGraph(input, nodes);
    }

    private Shape shapeOf(int index) {
      return index == Node.INPUT ? input : nodes.get(index).out();
    }

    private void checkName(String name) {
      if (name.isBlank() || !name.matches("[A-Za-z0-9_/-]+")) {
        throw new IllegalArgumentException(
            "name=\"" + name + "\"; expected letters, digits, _, - or /");
      }
      if (byName.containsKey(name)) {
        throw new IllegalArgumentException(
            "the name \"" + name + "\" is taken; give this layer another \"name\"");
      }
    }

    private List<Integer> resolve(LayerSpec layer, int index) {
      if (layer.inputs() == null) {
        return List.of(index - 1);
      }
      if (layer.inputs().isEmpty()) {
        throw new IllegalArgumentException("inputs is empty; expected names of layers before it");
      }
      return layer.inputs().stream().map(this::find).toList();
    }

    private int find(String name) {
      Integer index = byName.get(name);
      if (index == null) {
        throw new IllegalArgumentException(
            "no layer before it is called \""
                + name
                + "\"; known: "
                + String.join(", ", Names.nearestFirst(name, byName.keySet())));
      }
      return index;
    }
  }
}
