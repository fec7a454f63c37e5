package convtrain.graph;

import java.util.ArrayList;
import java.util.List;

/**
 * The numbers of the {@code summary} table, one row per layer.
 *
 * <p>The receptive field of a pixel grows by {@code (kernel - 1) dilation jump} at each window,
 * jump being the product of the strides before it; where paths meet, the larger counts.
 *
 * @param rows one per layer, in execution order
 * @param trainable trained values
 * @param buffers values kept beside them (running statistics)
 * @param macs multiply-adds of one sample's forward pass
 */
public record ModelSummary(List<Row> rows, long trainable, long buffers, long macs) {
  /**
   * @param name the layer's name
   * @param type its type
   * @param inputs names of what feeds it
   * @param out shape of one output sample
   * @param parameters trained values
   * @param macs multiply-adds of one sample
   * @param receptiveField input rows and columns that one output element sees
   */
  public record Row(
      String name,
      String type,
      List<String> inputs,
      Shape out,
      long parameters,
      long macs,
      Pair receptiveField) {}

  private record Field(int h, int w, int jumpH, int jumpW) {
    Field union(Field other) {
      return new Field(
          Math.max(h, other.h),
          Math.max(w, other.w),
          Math.max(jumpH, other.jumpH),
          Math.max(jumpW, other.jumpW));
    }

    Field through(Window2d window) {
      return new Field(
          h + (window.kernel().h() - 1) * window.dilation().h() * jumpH,
          w + (window.kernel().w() - 1) * window.dilation().w() * jumpW,
          jumpH * window.stride().h(),
          jumpW * window.stride().w());
    }
  }

  /** Walks the graph once. */
  public static ModelSummary of(ModelGraph graph) {
    Shape image = graph.input();
    List<Field> fields = new ArrayList<>();
    List<Row> rows = new ArrayList<>();
    long buffers = 0;
    for (Node node : graph.nodes()) {
      Field field = fieldOf(node, graph, fields);
      fields.add(field);
      long trainable = 0;
      for (ParameterSpec parameter : node.parameters()) {
        trainable += parameter.trainable() ? parameter.elements() : 0;
        buffers += parameter.trainable() ? 0 : parameter.elements();
      }
      List<String> inputs =
          node.inputs().stream()
              .map(i -> i == Node.INPUT ? "input" : graph.nodes().get(i).name())
              .toList();
      Pair seen = new Pair(Math.min(field.h, image.height()), Math.min(field.w, image.width()));
      rows.add(
          new Row(
              node.name(),
              node.spec().type(),
              inputs,
              node.out(),
              trainable,
              node.spec().macs(node.in()),
              seen));
    }
    return new ModelSummary(rows, graph.trainableParameters(), buffers, graph.macs());
  }

  private static Field fieldOf(Node node, ModelGraph graph, List<Field> fields) {
    Field field = new Field(1, 1, 1, 1);
    for (int input : node.inputs()) {
      if (input != Node.INPUT) {
        field = field.union(fields.get(input));
      }
    }
    boolean seesAll =
        node.spec() instanceof LayerSpec.GlobalAvgPool
            || node.spec() instanceof LayerSpec.Flatten
            || node.spec() instanceof LayerSpec.Linear;
    if (seesAll) {
      return new Field(graph.input().height(), graph.input().width(), field.jumpH, field.jumpW);
    }
    Window2d window = node.spec().window(node.in().get(0));
    return window == null ? field : field.through(window);
  }
}
