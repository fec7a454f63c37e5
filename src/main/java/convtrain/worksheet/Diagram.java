package convtrain.worksheet;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The network as a picture, before the lines are drawn: three layers of nodes, each edge with its
 * weight. Of a layer of more than four only the first two and the last are shown.
 *
 * @param layers inputs, hidden neurons, output neurons
 * @param edges between shown nodes of neighbouring layers
 */
record Diagram(List<Layer> layers, List<Edge> edges) {
  private static final int MOST = 4;

  /**
   * Nodes above each other.
   *
   * @param letter i, h or o
   * @param shown which of its nodes
   * @param elided whether some are left out, before the last
   */
  record Layer(String letter, int[] shown, boolean elided) {
    static Layer of(String letter, int count) {
      return count <= MOST
          ? new Layer(letter, IntStream.range(0, count).toArray(), false)
          : new Layer(letter, new int[] {0, 1, count - 1}, true);
    }

    /** {@code h2}. */
    String name(int position) {
      return letter + (shown[position] + 1);
    }

    /**
     * Distance of a node from the picture's top, in nodes.
     *
     * @param tallest nodes of the layer that has most
     */
    double height(int position, int tallest) {
      return (tallest - shown.length) / 2.0 + position;
    }
  }

  /**
   * A weight.
   *
   * @param layer of its source
   * @param from position of its source in that layer
   * @param to position of its target in the next
   */
  record Edge(int layer, int from, int to, int parameter) {}

  static Diagram of(Parameters.Sizes sizes) {
    Layer in = Layer.of("i", sizes.inputs());
    Layer hidden = Layer.of("h", sizes.hidden());
    Layer out = Layer.of("o", sizes.outputs());
    List<Edge> edges = new ArrayList<>();
    for (int j = 0; j < hidden.shown().length; j++) {
      for (int i = 0; i < in.shown().length; i++) {
        edges.add(new Edge(0, i, j, sizes.hiddenWeight(hidden.shown()[j], in.shown()[i])));
      }
      for (int k = 0; k < out.shown().length; k++) {
        edges.add(new Edge(1, j, k, sizes.outputWeight(out.shown()[k], hidden.shown()[j])));
      }
    }
    return new Diagram(List.of(in, hidden, out), edges);
  }

  /** Nodes of the layer that shows most. */
  int tallest() {
    return layers.stream().mapToInt(layer -> layer.shown().length).max().orElseThrow();
  }
}
