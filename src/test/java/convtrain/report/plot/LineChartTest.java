package convtrain.report.plot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.awt.image.BufferedImage;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import javax.imageio.ImageIO;
import javax.xml.parsers.DocumentBuilderFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LineChartTest {
  private static final int BLUE = 0xFF0072B2;
  private static final int ORANGE = 0xFFD55E00;
  private static final double[] X = {0, 1, 2, 3};

  @TempDir private Path folder;

  private static LineChart chart(LineChart.Series... series) {
    return new LineChart(
        "Title", LineChart.Axis.linear("x (s)"), LineChart.Axis.logarithmic("y"), List.of(series));
  }

  private BufferedImage png(LineChart chart) throws IOException {
    Path file = folder.resolve("chart.png");
    chart.writePng(file);
    return ImageIO.read(file.toFile());
  }

  private static LineChart.Series falling(String name) {
    return new LineChart.Series(name, X, new double[] {1, .1, .01, .001});
  }

  @Test
  void pngHasTwoPixelsPerUnitAndItsSeriesColours() throws IOException {
    LineChart.Series rising = new LineChart.Series("rising", X, new double[] {.001, .01, .1, 1});
    BufferedImage image = png(chart(falling("falling"), rising));
    assertThat(image.getWidth()).isEqualTo(1600);
    assertThat(image.getHeight()).isEqualTo(1000);
    assertThat(rightmost(image, BLUE)).isPositive();
    assertThat(rightmost(image, ORANGE)).isPositive();
  }

  /** The legend's pieces of line stand right of the last data point. */
  @Test
  void legendStandsBesideTheDataAndOnlyWhereThereAreSeveralLines() throws IOException {
    BufferedImage alone = png(chart(falling("falling")));
    BufferedImage both = png(chart(falling("falling"), falling("the same again")));
    int dataEnds = rightmost(alone, BLUE);
    assertThat(dataEnds).isGreaterThan(1500);
    int legend = rightmost(both, BLUE);
    int plotEnds = plotRight(both);
    assertThat(legend).isGreaterThan(plotEnds);
    assertThat(plotRight(alone)).isGreaterThanOrEqualTo(dataEnds - 3);
  }

  /** On a logarithmic axis a constant ratio is a straight line. */
  @Test
  void logarithmicAxisMakesAConstantRatioStraight() throws IOException {
    BufferedImage image = png(chart(falling("falling")));
    int left = leftmost(image, BLUE);
    int right = rightmost(image, BLUE);
    double top = height(image, left + 4);
    double middle = height(image, (left + right) / 2);
    double bottom = height(image, right - 4);
    assertThat(middle).isBetween((top + bottom) / 2 - 6, (top + bottom) / 2 + 6);
  }

  /**
   * Doublings of x are equally far apart, and y begins at zero: 1, 2, 3 at 5, 10, 20 is straight.
   */
  @Test
  void doublingsAreEquallyFarApartAndHeightsCountFromZero() throws IOException {
    LineChart chart =
        new LineChart(
            "Title",
            new LineChart.Axis("samples", LineChart.Scale.DOUBLINGS),
            new LineChart.Axis("time (s)", LineChart.Scale.FROM_ZERO),
            List.of(
                new LineChart.Series("line", new double[] {5, 10, 20}, new double[] {1, 2, 3})));
    BufferedImage image = png(chart);
    int left = leftmost(image, BLUE);
    int right = rightmost(image, BLUE);
    double first = height(image, left + 6);
    double last = height(image, right - 6);
    assertThat(height(image, (left + right) / 2))
        .isBetween((first + last) / 2 - 6, (first + last) / 2 + 6);
    double zero = first + (first - last) / 2;
    assertThat(zero).isBetween(plotBottom(image) - 12.0, plotBottom(image) + 12.0);
  }

  @Test
  void oneValueAloneIsDrawnToo() throws IOException {
    LineChart.Axis x = new LineChart.Axis("samples", LineChart.Scale.DOUBLINGS);
    LineChart.Axis y = new LineChart.Axis("time (s)", LineChart.Scale.FROM_ZERO);
    LineChart.Series point = new LineChart.Series("point", new double[] {64}, new double[] {2});
    assertThat(rightmost(png(new LineChart("Title", x, y, List.of(point))), BLUE)).isPositive();
    assertThatThrownBy(() -> new LineChart("Title", y, x, List.of(point)))
        .hasMessage("x FROM_ZERO, y DOUBLINGS; expected no FROM_ZERO of x and no DOUBLINGS of y");
  }

  @Test
  void placesOfDoublingsHaveTheirValues() {
    assertThat(List.of(0.0, 1.0, 3.0))
        .extracting(Drawing.doublings(7500)::apply)
        .containsExactly("7500", "15000", "60000");
  }

  @Test
  void pointsThatTheAxesCannotShowAreLeftOut() {
    LineChart.Series partly =
        new LineChart.Series("partly", X, new double[] {1, 0, Double.NaN, .1});
    LineChart.Series never = new LineChart.Series("never", X, new double[4]);
    List<LineChart.Series> visible = chart(partly, never).visible();
    assertThat(visible).hasSize(1);
    assertThat(visible.get(0).x()).containsExactly(0, 3);
    assertThat(chart(never).svg()).startsWith("<svg");
  }

  @Test
  void svgIsWellFormedAndLoadsNothing() throws Exception {
    String svg = chart(falling("falling")).svg();
    assertThat(
            DocumentBuilderFactory.newInstance()
                .newDocumentBuilder()
                .parse(new ByteArrayInputStream(svg.getBytes(StandardCharsets.UTF_8)))
                .getDocumentElement()
                .getTagName())
        .isEqualTo("svg");
    assertThat(svg).doesNotContain("href").doesNotContain("url(http");
  }

  @Test
  void seriesNeedNamesOfTheirOwnAndEqualLengths() {
    assertThatThrownBy(() -> chart(falling("a"), falling("a")))
        .hasMessage("2 series with 1 names; expected at least one, each with its own");
    assertThatThrownBy(() -> new LineChart.Series("s", X, new double[3]))
        .hasMessage("s: 4 values of x and 3 of y");
  }

  private static int rightmost(BufferedImage image, int color) {
    for (int x = image.getWidth() - 1; x >= 0; x--) {
      if (!Double.isNaN(height(image, x, color))) {
        return x;
      }
    }
    return -1;
  }

  private static int leftmost(BufferedImage image, int color) {
    for (int x = 0; x < image.getWidth(); x++) {
      if (!Double.isNaN(height(image, x, color))) {
        return x;
      }
    }
    return -1;
  }

  private static double height(BufferedImage image, int x) {
    return height(image, x, BLUE);
  }

  /** Mean row of a colour in one column. */
  private static double height(BufferedImage image, int x, int color) {
    double sum = 0;
    int count = 0;
    for (int y = 0; y < image.getHeight(); y++) {
      if (image.getRGB(x, y) == color) {
        sum += y;
        count++;
      }
    }
    return count == 0 ? Double.NaN : sum / count;
  }

  /** A quarter from the left no letters stand below the plot. */
  private static int plotBottom(BufferedImage image) {
    for (int y = image.getHeight() - 1; y >= 0; y--) {
      if (image.getRGB(image.getWidth() / 4, y) == 0xFF808080) {
        return y;
      }
    }
    return -1;
  }

  /** The plot's frame is the only grey line from top to bottom. */
  private static int plotRight(BufferedImage image) {
    for (int x = image.getWidth() - 1; x >= 0; x--) {
      if (image.getRGB(x, image.getHeight() / 2) == 0xFF808080) {
        return x;
      }
    }
    return -1;
  }
}
