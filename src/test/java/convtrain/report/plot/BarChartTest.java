package convtrain.report.plot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class BarChartTest {
  private static final int BLUE = 0xFF0072B2;
  private static final int ORANGE = 0xFFD55E00;

  @TempDir private Path folder;

  /** The longest run of a colour in a row of pixels. */
  private record Bar(int from, int to) {
    int length() {
      return to - from;
    }
  }

  private BufferedImage png(List<String> parts, BarChart.Row... rows) throws IOException {
    Path file = folder.resolve("chart.png");
    new BarChart("Title", "seconds", parts, List.of(rows)).writePng(file);
    return ImageIO.read(file.toFile());
  }

  private static BarChart.Row bar(String label, double... values) {
    return BarChart.Row.bar(label, values, "note of some length");
  }

  private static List<Bar> bars(BufferedImage image, int color) {
    List<Bar> bars = new ArrayList<>();
    boolean inside = false;
    for (int y = 0; y < image.getHeight(); y++) {
      Bar bar = longest(image, y, color);
      boolean found = bar.length() > 30;
      if (found && !inside) {
        // Some rows of pixels below the edge, which is blended.
        bars.add(longest(image, y + 4, color));
      }
      inside = found;
    }
    return bars;
  }

  private static Bar longest(BufferedImage image, int y, int color) {
    Bar best = new Bar(0, 0);
    int from = -1;
    for (int x = 0; x <= image.getWidth(); x++) {
      boolean there = x < image.getWidth() && image.getRGB(x, y) == color;
      if (there && from < 0) {
        from = x;
      } else if (!there && from >= 0) {
        best = x - from > best.length() ? new Bar(from, x) : best;
        from = -1;
      }
    }
    return best;
  }

  @Test
  void barsAreAsLongAsTheirValuesAndBeginTogether() throws IOException {
    BufferedImage image = png(List.of("all"), bar("a", 10), bar("longer label", 30), bar("c", 20));
    assertThat(image.getWidth()).isEqualTo(1600);
    List<Bar> bars = bars(image, BLUE);
    assertThat(bars).hasSize(3);
    assertThat(bars).extracting(Bar::from).allMatch(from -> Math.abs(from - bars.get(0).from) <= 1);
    assertThat(bars.get(1).length() / (double) bars.get(0).length()).isCloseTo(3, within(0.05));
    assertThat(bars.get(2).length() / (double) bars.get(0).length()).isCloseTo(2, within(0.05));
  }

  @Test
  void partsStandEndToEnd() throws IOException {
    BufferedImage image = png(List.of("one", "two"), bar("a", 10, 30));
    Bar first = bars(image, BLUE).get(0);
    Bar second = bars(image, ORANGE).get(0);
    assertThat(second.from - first.to).isBetween(-1, 2);
    assertThat(second.length() / (double) first.length()).isCloseTo(3, within(0.05));
  }

  @Test
  void theSpreadIsDrawnFromLeastToGreatest() throws IOException {
    BarChart.Row row = new BarChart.Row("a", new double[] {20}, 10, 30, "");
    BufferedImage image = png(List.of("all"), row);
    BufferedImage without = png(List.of("all"), bar("a", 20), bar("b", 30));
    assertThat(without.getHeight() - image.getHeight()).isEqualTo(52);
    Bar bar = bars(image, BLUE).get(0);
    int middle = middleOf(image, bar);
    Bar line = longest(image, middle, 0xFF303030);
    assertThat(line.length() / (double) (bar.length())).isCloseTo(1, within(0.05));
    assertThat((line.from - bar.from) / (double) bar.length()).isCloseTo(0.5, within(0.05));
  }

  /** The row of pixels half-way down a bar, by its left end, over which no spread lies. */
  private static int middleOf(BufferedImage image, Bar bar) {
    int first = -1;
    int last = -1;
    for (int y = 0; y < image.getHeight(); y++) {
      if (image.getRGB(bar.from + 3, y) == BLUE) {
        first = first < 0 ? y : first;
        last = y;
      }
    }
    return (first + last) / 2;
  }

  @Test
  void notesAndLabelsStayInsideThePicture() throws IOException {
    BufferedImage image =
        png(List.of("all"), bar("a label that is rather long, with many words", 1), bar("b", 1000));
    for (int y = 0; y < image.getHeight(); y++) {
      assertThat(image.getRGB(4, y)).as("left margin").isEqualTo(0xFFFFFFFF);
      assertThat(image.getRGB(image.getWidth() - 4, y)).as("right margin").isEqualTo(0xFFFFFFFF);
    }
  }

  @Test
  void partsNeedNamesOfTheirOwnAndEachBarAllOfThem() {
    assertThatThrownBy(() -> new BarChart("t", "s", List.of("a", "a"), List.of(bar("x", 1, 1))))
        .hasMessage("parts [a, a]; expected names of their own");
    assertThatThrownBy(() -> new BarChart("t", "s", List.of("a", "b"), List.of(bar("x", 1))))
        .hasMessage("x: values [1.0]; expected 2 of 0 and above");
    assertThatThrownBy(() -> new BarChart("t", "s", List.of("a"), List.of(bar("x", Double.NaN))))
        .hasMessage("x: values [NaN]; expected 1 of 0 and above");
    assertThatThrownBy(
            () -> new BarChart("t", "s", List.of("a"), List.of(BarChart.Row.heading("h"))))
        .hasMessage("no bar is longer than 0");
  }
}
