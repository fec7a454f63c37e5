package convtrain.report.plot;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.font.FontRenderContext;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.math.MathContext;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.DoubleSummaryStatistics;
import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import javax.imageio.ImageIO;
import org.knowm.xchart.ChartEncoder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.AxesChartStyler;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.XYStyler;
import org.knowm.xchart.style.lines.SeriesLines;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** A chart laid out by XChart. */
final class Drawing {
  private static final int WIDTH = 800;
  private static final int HEIGHT = 500;
  static final int PIXELS_PER_UNIT = 2;
  static final Font FONT = new Font(Font.SANS_SERIF, Font.PLAIN, 13);
  static final Color GRID = new Color(0xE0E0E0);
  static final Color TEXT = new Color(0x303030);

  /** Told apart by people of any colour vision (Okabe and Ito's set without its yellow). */
  static final Color[] COLORS = {
    new Color(0x0072B2),
    new Color(0xD55E00),
    new Color(0x009E73),
    new Color(0xCC79A7),
    new Color(0xE69F00),
    new Color(0x56B4E9),
    new Color(0x000000)
  };

  /** The lines' patterns change once every colour was used. */
  private static final BasicStroke[] PATTERNS = {
    SeriesLines.SOLID, SeriesLines.DASH_DASH, SeriesLines.DOT_DOT
  };

  private final XYChart chart;

  private Drawing(XYChart chart) {
    this.chart = chart;
  }

  static Drawing of(LineChart line) {
    // Without a display too; has no effect where something else already opened one.
    System.setProperty("java.awt.headless", "true");
    checkFonts();
    return new Drawing(chart(line));
  }

  byte[] png() {
    BufferedImage image =
        new BufferedImage(
            WIDTH * PIXELS_PER_UNIT, HEIGHT * PIXELS_PER_UNIT, BufferedImage.TYPE_INT_RGB);
    Graphics2D graphics = image.createGraphics();
    graphics.scale(PIXELS_PER_UNIT, PIXELS_PER_UNIT);
    // Lines pass through their points, not through the middles of pixels near them.
    graphics.setRenderingHint(RenderingHints.KEY_STROKE_CONTROL, RenderingHints.VALUE_STROKE_PURE);
    chart.paint(graphics, WIDTH, HEIGHT);
    graphics.dispose();
    return encode(image);
  }

  /** The picture as a PNG file has it. */
  static byte[] encode(BufferedImage image) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try {
      ImageIO.write(image, "png", bytes);
    } catch (IOException e) {
      throw new UncheckedIOException("writing to memory", e);
    }
    return bytes.toByteArray();
  }

  String svg() {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try {
      ChartEncoder.saveChart(chart, bytes, "svg");
    } catch (IOException e) {
      throw new UncheckedIOException("writing to memory", e);
    }
    String text = bytes.toString(StandardCharsets.UTF_8);
    return text.substring(text.indexOf("<svg"));
  }

  /**
   * Java draws letters by the system's font libraries and fonts, which a small server may not have;
   * it then fails with one of many errors and exceptions.
   */
  static void checkFonts() {
    try {
      FONT.getStringBounds("x", new FontRenderContext(null, true, true));
    } catch (OutOfMemoryError e) {
      throw e;
    } catch (Error | RuntimeException e) {
      throw new PlotException(
          "no picture can be drawn here: Java found no fonts or no library for them ("
              + e
              + "); install some (Debian, Ubuntu: apt install fontconfig fonts-dejavu-core)",
          e);
    }
  }

  private static XYChart chart(LineChart wanted) {
    List<LineChart.Series> series = wanted.visible();
    XYChart chart =
        new XYChartBuilder()
            .width(WIDTH)
            .height(HEIGHT)
            .title(wanted.title())
            .xAxisTitle(wanted.x().label())
            .yAxisTitle(wanted.y().label())
            .build();
    style(chart.getStyler());
    chart.getStyler().setLegendVisible(wanted.series().size() > 1);
    if (!series.isEmpty()) {
      axes(chart.getStyler(), wanted, series);
    }
    for (int i = 0; i < series.size(); i++) {
      double[] x = places(wanted, series.get(i).x());
      XYSeries line = chart.addSeries(series.get(i).name(), x, series.get(i).y());
      boolean fewValues = wanted.x().scale() == LineChart.Scale.DOUBLINGS;
      line.setMarker(fewValues ? SeriesMarkers.CIRCLE : SeriesMarkers.NONE);
      line.setMarkerColor(COLORS[i % COLORS.length]);
      line.setLineColor(COLORS[i % COLORS.length]);
      line.setLineStyle(PATTERNS[i / COLORS.length % PATTERNS.length]);
      line.setLineWidth(2);
    }
    return chart;
  }

  /** Where the axis has values: on one of doublings, how many doublings from the least. */
  private static double[] places(LineChart wanted, double[] x) {
    if (wanted.x().scale() != LineChart.Scale.DOUBLINGS) {
      return x;
    }
    double least = statistics(wanted.visible()).getMin();
    return Arrays.stream(x).map(value -> Math.log(value / least) / Math.log(2)).toArray();
  }

  /** The value at a place of an axis of doublings. */
  static Function<Double, String> doublings(double least) {
    return place -> power(least * Math.pow(2, place));
  }

  private static DoubleSummaryStatistics statistics(List<LineChart.Series> series) {
    return series.stream().flatMapToDouble(s -> Arrays.stream(s.x())).summaryStatistics();
  }

  private static void axes(XYStyler style, LineChart wanted, List<LineChart.Series> series) {
    DoubleSummaryStatistics x = statistics(series);
    switch (wanted.x().scale()) {
      case LOGARITHMIC -> {
        style.setXAxisLogarithmic(true);
        style.setXAxisTickLabelsFormattingFunction(Drawing::power);
      }
      case DOUBLINGS -> {
        double end = Math.max(1, Math.log(x.getMax() / x.getMin()) / Math.log(2));
        style.setXAxisMin(-0.02 * end);
        style.setXAxisMax(1.02 * end);
        // XChart steps by the one of 1, 2, 5, 10 that is nearest to what fits: given about the
        // width of a doubling, with a legend or without, the marks are whole doublings.
        style.setXAxisTickMarkSpacingHint((int) (680 / end));
        style.setXAxisTickLabelsFormattingFunction(doublings(x.getMin()));
      }
      case LINEAR, FROM_ZERO -> {
        // Between equally spaced values alone XChart steps by any number, such as 3: a hair of
        // space at both ends makes it step by 1, 2 or 5.
        double hair = Math.max(1e-3 * (x.getMax() - x.getMin()), 2e-4);
        style.setXAxisMin(x.getMin() - hair);
        style.setXAxisMax(x.getMax() + hair);
      }
    }
    if (wanted.y().scale() == LineChart.Scale.FROM_ZERO) {
      double most = series.stream().flatMapToDouble(s -> Arrays.stream(s.y())).max().orElseThrow();
      style.setYAxisMin(0.0);
      style.setYAxisMax(1.05 * most);
    } else if (wanted.y().scale().isLogarithmic()) {
      style.setYAxisLogarithmic(true);
      style.setYAxisTickLabelsFormattingFunction(Drawing::power);
    }
  }

  /** {@code 0.01}, {@code 1e-5}. */
  private static String power(double value) {
    return value >= 1e-3 && value < 1e5
        ? BigDecimal.valueOf(value).round(new MathContext(6)).stripTrailingZeros().toPlainString()
        : String.format(Locale.ROOT, "%.0e", value)
            .replaceFirst("e([+-])0*", "e$1")
            .replace("e+", "e");
  }

  private static void style(XYStyler style) {
    style.setPlotGridLinesColor(GRID);
    style.setPlotGridLinesStroke(new BasicStroke(1));
    style.setAxisTitleFont(FONT.deriveFont(14f));
    style.setAxisTickLabelsFont(FONT);
    style.setAxisTickLabelsColor(TEXT);
    style.setYAxisLabelAlignment(AxesChartStyler.TextAlignment.Right);
    style.setPlotContentSize(1);
    style.setMarkerSize(6);
    style.setChartTitleFont(FONT.deriveFont(Font.BOLD, 16f));
    style.setChartTitleBoxVisible(false);
    style.setChartTitlePadding(12);
    style.setChartPadding(14);
    style.setPlotMargin(0);
    style.setLegendFont(FONT);
    style.setLegendBorderColor(Color.WHITE);
    style.setLegendPosition(Styler.LegendPosition.OutsideE);
    style.setChartFontColor(TEXT);
    style.setChartBackgroundColor(Color.WHITE);
    style.setPlotBackgroundColor(Color.WHITE);
    style.setPlotBorderVisible(true);
    style.setPlotBorderColor(Color.GRAY);
  }
}
