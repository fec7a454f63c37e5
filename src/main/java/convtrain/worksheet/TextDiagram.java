package convtrain.worksheet;

import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Collectors;

/** Draws the network with letters: every edge a line that carries its weight's name. */
final class TextDiagram {
  private static final int ROWS_PER_NODE = 5;
  private static final int GAP = 20;
  private static final int MARGIN = 2;

  /** Where along its edge a name may stand: the first place that is free. */
  private static final double[] PLACES = {0.28, 0.36, 0.2, 0.44, 0.14, 0.52, 0.6, 0.7, 0.8};

  private final Diagram diagram;
  private final Parameters.Sizes sizes;
  private final int labelWidth;
  private final char[][] canvas;
  private final boolean[][] named;

  private TextDiagram(Parameters.Sizes sizes) {
    this.sizes = sizes;
    diagram = Diagram.of(sizes);
    labelWidth =
        2
            + diagram.layers().stream()
                .mapToInt(layer -> layer.name(layer.shown().length - 1).length())
                .max()
                .orElseThrow();
    int rows = (diagram.tallest() - 1) * ROWS_PER_NODE + 1;
    int columns = left(2) + labelWidth;
    canvas = new char[rows][columns];
    Arrays.stream(canvas).forEach(row -> Arrays.fill(row, ' '));
    named = new boolean[rows][columns];
  }

  /** Lines without trailing spaces, each ending in a line feed. */
  static String render(Parameters.Sizes sizes) {
    return new TextDiagram(sizes).draw();
  }

  private String draw() {
    // Where lines meet, the flattest stays.
    diagram.edges().stream()
        .sorted(Comparator.comparingDouble(edge -> -Math.abs(height(edge, 1) - height(edge, 0))))
        .forEach(this::line);
    diagram.edges().forEach(this::name);
    for (int layer = 0; layer < 3; layer++) {
      nodes(layer);
    }
    List<String> titles = List.of("inputs", "hidden", "outputs");
    StringBuilder heading = new StringBuilder();
    for (int layer = 0; layer < 3; layer++) {
      heading.append(" ".repeat(left(layer) - heading.length())).append(titles.get(layer));
    }
    return heading
        + "\n"
        + Arrays.stream(canvas)
            .map(row -> new String(row).stripTrailing() + "\n")
            .collect(Collectors.joining());
  }

  private void nodes(int layer) {
    Diagram.Layer nodes = diagram.layers().get(layer);
    for (int position = 0; position < nodes.shown().length; position++) {
      put((int) row(layer, position), left(layer), "(" + nodes.name(position) + ")");
    }
    if (nodes.elided()) {
      double between =
          (row(layer, nodes.shown().length - 2) + row(layer, nodes.shown().length - 1)) / 2;
      put((int) between, left(layer) + 1, "...");
    }
  }

  /** Three letters make three heights within a row. */
  private void line(Diagram.Edge edge) {
    int start = left(edge.layer()) + labelWidth;
    int end = left(edge.layer() + 1);
    for (int x = start; x < end; x++) {
      double at = (x - start + 0.5) / (end - start);
      int third = (int) Math.floor(3 * height(edge, at) + 1.5);
      canvas[third / 3][x] = "'-.".charAt(third % 3);
    }
  }

  private void name(Diagram.Edge edge) {
    String name = sizes.name(edge.parameter());
    int start = left(edge.layer()) + labelWidth;
    for (double place : PLACES) {
      int row = (int) Math.round(height(edge, place));
      int column = start + (int) (place * GAP) - name.length() / 2;
      if (free(row, column - 1, name.length() + 2)) {
        put(row, column, name);
        Arrays.fill(named[row], column, column + name.length(), true);
        return;
      }
    }
  }

  private boolean free(int row, int column, int width) {
    for (int x = column; x < column + width; x++) {
      if (named[row][x]) {
        return false;
      }
    }
    return true;
  }

  private void put(int row, int column, String text) {
    text.getChars(0, text.length(), canvas[row], column);
  }

  private double height(Diagram.Edge edge, double at) {
    double from = row(edge.layer(), edge.from());
    return from + at * (row(edge.layer() + 1, edge.to()) - from);
  }

  private double row(int layer, int position) {
    return Math.floor(
        ROWS_PER_NODE * diagram.layers().get(layer).height(position, diagram.tallest()));
  }

  private int left(int layer) {
    return MARGIN + layer * (labelWidth + GAP);
  }
}
