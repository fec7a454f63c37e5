package convtrain.testing;

import convtrain.graph.ModelGraph;
import convtrain.graph.Node;
import convtrain.graph.ParameterSpec;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A whole network in double precision: forward, loss and back-propagation through any graph. The
 * gradients of a tensor that several layers read add up.
 */
public final class ReferenceNet {
  /**
   * What a backward pass found.
   *
   * @param dx gradient of the network's input
   * @param parameters gradient of each trained tensor, by full name ({@code conv2d1.weight})
   */
  public record Gradients(double[] dx, Map<String, double[]> parameters) {}

  private final ModelGraph graph;
  private final Map<String, double[]> parameters;
  private final Map<String, double[]> dropoutFactors = new LinkedHashMap<>();
  private final List<ReferenceOp> ops = new ArrayList<>();
  private final List<double[]> outputs = new ArrayList<>();
  private double[] x;

  /**
   * @param parameters every tensor by full name in PyTorch's layout; running statistics are updated
   *     in place
   */
  public ReferenceNet(ModelGraph graph, Map<String, double[]> parameters) {
    this.graph = graph;
    this.parameters = parameters;
  }

  /** Sets what a dropout layer multiplies by in training: 0 or 1 / (1 - p); all ones otherwise. */
  public void setDropout(String layer, double[] factors) {
    dropoutFactors.put(layer, factors);
  }

  /** The last layer's output for x [N, C, H, W]. */
  public double[] forward(double[] input, boolean training) {
    x = input;
    ops.clear();
    outputs.clear();
    int n = input.length / graph.input().elements();
    for (Node node : graph.nodes()) {
      ReferenceOp.Setting setting =
          new ReferenceOp.Setting(node, n, training, own(node), dropoutFactors.get(node.name()));
      ReferenceOp op = node.spec().accept(new ReferenceOps(), setting);
      outputs.add(op.forward(node.inputs().stream().map(this::tensor).toList()));
      ops.add(op);
    }
    return output(graph.output().index());
  }

  /** A layer's output at the last forward pass. */
  public double[] output(int index) {
    return outputs.get(index);
  }

  /** Mean cross-entropy on the logits of the last forward pass. */
  public double loss(int[] labels) {
    return ReferenceLoss.value(tensor(graph.logits()), labels);
  }

  /** Gradients of {@link #loss}. */
  public Gradients backward(int[] labels) {
    return backward(graph.logits(), ReferenceLoss.gradient(tensor(graph.logits()), labels));
  }

  /** Gradients of sum(dy y) for the last layer's output y. */
  public Gradients backward(double[] dy) {
    return backward(graph.output().index(), dy);
  }

  private Gradients backward(int from, double[] dy) {
    double[] dx = new double[x.length];
    double[][] dOutputs = new double[outputs.size()][];
    for (int i = 0; i < dOutputs.length; i++) {
      dOutputs[i] = new double[outputs.get(i).length];
    }
    accumulate(dy, from == Node.INPUT ? dx : dOutputs[from]);
    Map<String, double[]> found = new LinkedHashMap<>();
    for (int i = from; i >= 0; i--) {
      Node node = graph.nodes().get(i);
      ReferenceOp.Gradients gradients = ops.get(i).backward(dOutputs[i]);
      gradients.parameters().forEach((name, value) -> found.put(node.name() + "." + name, value));
      for (int k = 0; k < node.inputs().size(); k++) {
        int input = node.inputs().get(k);
        accumulate(gradients.dx().get(k), input == Node.INPUT ? dx : dOutputs[input]);
      }
    }
    return new Gradients(dx, found);
  }

  private double[] tensor(int index) {
    return index == Node.INPUT ? x : outputs.get(index);
  }

  private Map<String, double[]> own(Node node) {
    Map<String, double[]> own = new LinkedHashMap<>();
    for (ParameterSpec parameter : node.parameters()) {
      own.put(parameter.name(), parameters.get(node.tensorName(parameter)));
    }
    return own;
  }

  private static void accumulate(double[] from, double[] into) {
    for (int i = 0; i < into.length; i++) {
      into[i] += from[i];
    }
  }
}
