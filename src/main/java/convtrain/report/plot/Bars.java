package convtrain.report.plot;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.geom.Line2D;
import java.awt.geom.Rectangle2D;
import java.awt.image.BufferedImage;
import java.math.BigDecimal;

/** Draws a {@link BarChart}: title, legend, rows, axis, from above. */
final class Bars {
  private static final int WIDTH = 800;
  private static final int MARGIN = 16;
  private static final int TITLE = 44;
  private static final int LEGEND = 24;
  private static final int ROW = 26;
  private static final int BAR = 17;
  private static final int AXIS = 52;
  private static final int MOST_TICKS = 8;
  private static final Font BOLD = Drawing.FONT.deriveFont(Font.BOLD);
  private static final Font TITLE_FONT = BOLD.deriveFont(16f);

  private final BarChart chart;
  private final int height;
  private Graphics2D graphics;

  /** Horizontal extent of the axis from 0 to {@link #last}. */
  private double left;

  private double right;
  private double last;

  Bars(BarChart chart) {
    System.setProperty("java.awt.headless", "true");
    Drawing.checkFonts();
    this.chart = chart;
    height = top() + ROW * chart.rows().size() + AXIS;
  }

  private int top() {
    return MARGIN + TITLE + (chart.parts().size() > 1 ? LEGEND : 0);
  }

  byte[] png() {
    int scale = Drawing.PIXELS_PER_UNIT;
    BufferedImage image =
        new BufferedImage(WIDTH * scale, height * scale, BufferedImage.TYPE_INT_RGB);
    graphics = image.createGraphics();
    graphics.scale(scale, scale);
    graphics.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
    graphics.setRenderingHint(
        RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
    graphics.setRenderingHint(RenderingHints.KEY_STROKE_CONTROL, RenderingHints.VALUE_STROKE_PURE);
    graphics.setColor(Color.WHITE);
    graphics.fillRect(0, 0, WIDTH, height);
    draw();
    graphics.dispose();
    return Drawing.encode(image);
  }

  private void draw() {
    text(chart.title(), TITLE_FONT, (WIDTH - width(chart.title(), TITLE_FONT)) / 2, MARGIN + 18);
    if (chart.parts().size() > 1) {
      legend();
    }
    layOut();
    axis();
    for (int i = 0; i < chart.rows().size(); i++) {
      row(chart.rows().get(i), top() + ROW * i + ROW / 2.0);
    }
  }

  /** Leaves room for the longest label on the left and each bar's note on the right. */
  private void layOut() {
    left = MARGIN;
    double farthest = 0;
    for (BarChart.Row row : chart.rows()) {
      if (!row.isHeading()) {
        left = Math.max(left, MARGIN + width(row.label(), Drawing.FONT) + 10);
        farthest = Math.max(farthest, row.end());
      }
    }
    right = WIDTH - MARGIN;
    for (BarChart.Row row : chart.rows()) {
      if (!row.isHeading()) {
        double room = WIDTH - MARGIN - left - width(row.note(), Drawing.FONT) - 10;
        right = Math.min(right, left + room * farthest / row.end());
      }
    }
    double step = step(farthest);
    last = step * Math.ceil(farthest / step - 1e-9);
    // The axis ends at a whole step; the notes' room was reckoned to the longest bar's end.
    right = Math.min(WIDTH - MARGIN, left + (right - left) * last / farthest);
  }

  /** The least of 1, 2 and 5 times a power of ten that gives no more than so many ticks. */
  private static double step(double farthest) {
    double power = Math.pow(10, Math.floor(Math.log10(farthest / MOST_TICKS)));
    for (int factor : new int[] {1, 2, 5}) {
      if (farthest / (power * factor) <= MOST_TICKS) {
        return power * factor;
      }
    }
    return power * 10;
  }

  private double x(double value) {
    return left + value / last * (right - left);
  }

  private void axis() {
    double step = step(last);
    double bottom = height - AXIS;
    for (int i = 0; i <= Math.round(last / step); i++) {
      double x = x(i * step);
      graphics.setColor(i == 0 ? Color.GRAY : Drawing.GRID);
      graphics.setStroke(new BasicStroke(1));
      graphics.draw(new Line2D.Double(x, top(), x, bottom));
      String label = number(i * step);
      text(label, Drawing.FONT, x - width(label, Drawing.FONT) / 2, bottom + 18);
    }
    text(
        chart.axis(),
        Drawing.FONT,
        (left + right - width(chart.axis(), Drawing.FONT)) / 2,
        bottom + 38);
  }

  private static String number(double value) {
    return BigDecimal.valueOf(Math.round(value * 1e6), 6).stripTrailingZeros().toPlainString();
  }

  private void row(BarChart.Row row, double middle) {
    if (row.isHeading()) {
      text(row.label(), BOLD, MARGIN, middle + 5);
      return;
    }
    text(row.label(), Drawing.FONT, left - 10 - width(row.label(), Drawing.FONT), middle + 5);
    double from = 0;
    for (int i = 0; i < row.values().length; i++) {
      graphics.setColor(color(i));
      graphics.fill(
          new Rectangle2D.Double(
              x(from), middle - BAR / 2.0, x(from + row.values()[i]) - x(from), BAR));
      from += row.values()[i];
    }
    if (!Double.isNaN(row.low())) {
      spread(row, middle);
    }
    graphics.setColor(Color.WHITE);
    double width = width(row.note(), Drawing.FONT);
    graphics.fill(new Rectangle2D.Double(x(row.end()) + 6, middle - 8, width + 4, 16));
    text(row.note(), Drawing.FONT, x(row.end()) + 8, middle + 5);
  }

  private void spread(BarChart.Row row, double middle) {
    graphics.setColor(Drawing.TEXT);
    graphics.setStroke(new BasicStroke(1.5f));
    graphics.draw(new Line2D.Double(x(row.low()), middle, x(row.high()), middle));
    for (double end : new double[] {row.low(), row.high()}) {
      graphics.draw(new Line2D.Double(x(end), middle - 4, x(end), middle + 4));
    }
  }

  private void legend() {
    double x = MARGIN;
    for (int i = 0; i < chart.parts().size(); i++) {
      graphics.setColor(color(i));
      graphics.fill(new Rectangle2D.Double(x, MARGIN + TITLE - 11, 11, 11));
      text(chart.parts().get(i), Drawing.FONT, x + 16, MARGIN + TITLE);
      x += 16 + width(chart.parts().get(i), Drawing.FONT) + 18;
    }
  }

  private static Color color(int part) {
    return Drawing.COLORS[part % Drawing.COLORS.length];
  }

  private double width(String text, Font font) {
    return font.getStringBounds(text, graphics.getFontRenderContext()).getWidth();
  }

  private void text(String text, Font font, double x, double baseline) {
    graphics.setColor(Drawing.TEXT);
    graphics.setFont(font);
    graphics.drawString(text, (float) x, (float) baseline);
  }
}
