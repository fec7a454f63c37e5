package convtrain.report.plot;

import convtrain.files.AtomicFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Lines over two axes. One line needs no legend; the legend of several stands beside the data.
 *
 * @param title what is shown, without the axes' words
 * @param x the horizontal axis
 * @param y the vertical axis
 * @param series at least one, each with a name of its own
 */
public record LineChart(String title, Axis x, Axis y, List<Series> series) {
  /** How values lie along an axis. */
  public enum Scale {
    LINEAR,
    /** Linear, and begins at zero. Of the vertical axis. */
    FROM_ZERO,
    /** Equal distances are equal ratios; values of 0 and below are left out. */
    LOGARITHMIC,
    /**
     * Logarithmic, with a mark at the least value and each of its doublings; each point is shown.
     * Of the horizontal axis.
     */
    DOUBLINGS;

    boolean isLogarithmic() {
      return this == LOGARITHMIC || this == DOUBLINGS;
    }
  }

  /**
   * An axis.
   *
   * @param label what is measured and its unit: {@code "time (s)"}
   */
  public record Axis(String label, Scale scale) {
    public static Axis linear(String label) {
      return new Axis(label, Scale.LINEAR);
    }

    public static Axis logarithmic(String label) {
      return new Axis(label, Scale.LOGARITHMIC);
    }

    boolean shows(double value) {
      return Double.isFinite(value) && (!scale.isLogarithmic() || value > 0);
    }
  }

  /**
   * A line.
   *
   * @param x [points]
   * @param y [points]; a NaN or an infinity leaves its point out
   */
  public record Series(String name, double[] x, double[] y) {
    public Series {
      if (x.length != y.length) {
        throw new IllegalArgumentException(
            "%s: %d values of x and %d of y".formatted(name, x.length, y.length));
      }
    }
  }

  public LineChart {
    if (x.scale() == Scale.FROM_ZERO || y.scale() == Scale.DOUBLINGS) {
      throw new IllegalArgumentException(
          "x %s, y %s; expected no FROM_ZERO of x and no DOUBLINGS of y"
              .formatted(x.scale(), y.scale()));
    }
    series = List.copyOf(series);
    long names = series.stream().map(Series::name).distinct().count();
    if (series.isEmpty() || names < series.size()) {
      throw new IllegalArgumentException(
          "%d series with %d names; expected at least one, each with its own"
              .formatted(series.size(), names));
    }
  }

  /** 1600 x 1000 pixels, for a width of 800 on any screen. */
  public void writePng(Path file) throws IOException {
    AtomicFile.write(file, Drawing.of(this).png());
  }

  /** 800 x 500; letters are outlines, so it looks the same everywhere. */
  public void writeSvg(Path file) throws IOException {
    AtomicFile.write(file, svg());
  }

  /** The text of {@link #writeSvg}, from {@code <svg} on. */
  public String svg() {
    return Drawing.of(this).svg();
  }

  /** The series without the points that the axes cannot show; those left empty are dropped. */
  List<Series> visible() {
    return series.stream().map(this::visible).filter(s -> s.x().length > 0).toList();
  }

  private Series visible(Series all) {
    int[] shown =
        IntStream.range(0, all.x().length)
            .filter(i -> x.shows(all.x()[i]) && y.shows(all.y()[i]))
            .toArray();
    return new Series(
        all.name(),
        Arrays.stream(shown).mapToDouble(i -> all.x()[i]).toArray(),
        Arrays.stream(shown).mapToDouble(i -> all.y()[i]).toArray());
  }
}
