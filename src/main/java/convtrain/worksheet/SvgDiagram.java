package convtrain.worksheet;

import java.math.BigDecimal;
import java.math.MathContext;
import java.util.Locale;

/** The network as an SVG picture: circles with their activations, lines with their weights. */
final class SvgDiagram {
  private static final int WIDTH = 800;
  private static final int STEP = 130;
  private static final int TOP = 60;
  private static final int RADIUS = 36;
  private static final int[] LEFT = {100, 390, 680};

  /**
   * Where along its line a weight stands: steep lines in the middle, flat ones near their source.
   */
  private static final double FLAT_PLACE = 0.3;

  private static final double STEEP_PLACE = 0.45;

  /** Nodes above each other that leave room for the weights' values beside their names. */
  private static final int ROOMY = 2;

  private final Diagram diagram;
  private final Parameters.Sizes sizes;
  private final Worksheet worksheet;
  private final Worksheet.Iteration first;
  private final StringBuilder svg = new StringBuilder();

  private SvgDiagram(Worksheet worksheet) {
    this.worksheet = worksheet;
    sizes = worksheet.sizes();
    first = worksheet.first();
    diagram = Diagram.of(sizes);
  }

  /** From {@code <svg} on. */
  static String render(Worksheet worksheet) {
    return new SvgDiagram(worksheet).draw();
  }

  private String draw() {
    int height = TOP + 2 * RADIUS + (diagram.tallest() - 1) * STEP + 20;
    svg.append(
        """
        <svg viewBox="0 0 %1$d %2$d" role="img" aria-label="The network" font-family="sans-serif" font-size="15">
        """
            .formatted(WIDTH, height));
    String[] titles = {"inputs", "hidden layer", "output layer"};
    for (int layer = 0; layer < 3; layer++) {
      text(LEFT[layer], 26, "middle", "bold", titles[layer]);
    }
    diagram.edges().forEach(this::line);
    diagram.edges().forEach(this::weight);
    for (int layer = 0; layer < 3; layer++) {
      nodes(layer);
    }
    return svg.append("</svg>\n").toString();
  }

  private void line(Diagram.Edge edge) {
    double x0 = LEFT[edge.layer()];
    double y0 = y(edge.layer(), edge.from());
    double x1 = LEFT[edge.layer() + 1];
    double y1 = y(edge.layer() + 1, edge.to());
    svg.append(
        String.format(
            Locale.ROOT,
            "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#999\" stroke-width=\"1.5\"/>\n",
            x0,
            y0,
            x1,
            y1));
  }

  private void weight(Diagram.Edge edge) {
    double x0 = LEFT[edge.layer()];
    double y0 = y(edge.layer(), edge.from());
    double x1 = LEFT[edge.layer() + 1];
    double y1 = y(edge.layer() + 1, edge.to());
    double place = Math.abs(y1 - y0) > 1.5 * STEP ? STEEP_PLACE : FLAT_PLACE;
    String name = sizes.name(edge.parameter());
    double value = first.parameters().values()[edge.parameter()];
    label(
        x0 + place * (x1 - x0),
        y0 + place * (y1 - y0),
        diagram.tallest() <= ROOMY ? name + " = " + short4(value) : name);
  }

  private void nodes(int layer) {
    Diagram.Layer nodes = diagram.layers().get(layer);
    for (int position = 0; position < nodes.shown().length; position++) {
      double y = y(layer, position);
      int neuron = nodes.shown()[position];
      svg.append(
          String.format(
              Locale.ROOT,
              "<circle cx=\"%d\" cy=\"%.1f\" r=\"%d\" fill=\"%s\" stroke=\"#333\" stroke-width=\"1.5\"/>\n",
              LEFT[layer],
              y,
              RADIUS,
              layer == 0 ? "#f4f4f4" : "#ddebf7"));
      text(LEFT[layer], y - 3, "middle", "bold", nodes.name(position));
      text(LEFT[layer], y + 16, "middle", "normal", short4(value(layer, neuron)));
      if (layer == 2) {
        String target = "t%d = %s".formatted(neuron + 1, short4(worksheet.targets()[neuron]));
        text(LEFT[2] + RADIUS + 8, y + 5, "start", "normal", target);
      }
    }
    if (nodes.elided()) {
      double y = (y(layer, nodes.shown().length - 2) + y(layer, nodes.shown().length - 1)) / 2;
      text(LEFT[layer], y + 16, "middle", "bold", "⋮");
    }
  }

  /** What leaves the node: an input or an activation. */
  private double value(int layer, int neuron) {
    return switch (layer) {
      case 0 -> worksheet.inputs()[neuron];
      case 1 -> first.forward().hidden()[neuron];
      default -> first.forward().output()[neuron];
    };
  }

  private double y(int layer, int position) {
    return TOP + RADIUS + STEP * diagram.layers().get(layer).height(position, diagram.tallest());
  }

  private void text(double x, double y, String anchor, String weight, String text) {
    svg.append(
        String.format(
            Locale.ROOT,
            "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" font-weight=\"%s\">%s</text>\n",
            x,
            y,
            anchor,
            weight,
            text));
  }

  /** On a line, which it covers. */
  private void label(double x, double y, String text) {
    double width = 9.0 * text.length();
    svg.append(
        String.format(
            Locale.ROOT,
            "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"20\" fill=\"white\"/>\n",
            x - width / 2,
            y - 10,
            width));
    text(x, y + 5, "middle", "normal", text);
  }

  private static String short4(double value) {
    return Numbers.of(new BigDecimal(value).round(new MathContext(4)).doubleValue());
  }
}
