package convtrain.report.plot;

import convtrain.files.AtomicFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;

/**
 * Horizontal bars from 0, one below the other, each of one part or of several end to end. (The
 * charting library's horizontal bars have neither parts nor spread.)
 *
 * @param title what is shown
 * @param axis what is measured and its unit: {@code "seconds per epoch"}
 * @param parts names of a bar's parts, for the legend; one or more, and one alone has none
 * @param rows bars and headings, from above
 */
public record BarChart(String title, String axis, List<String> parts, List<Row> rows) {
  /**
   * A bar, or a heading over the bars that follow.
   *
   * @param label left of the bar
   * @param values [parts], 0 or above; empty for a heading
   * @param low where the line over the bar's end begins, or NaN without one
   * @param high where it ends
   * @param note behind the bar's end
   */
  public record Row(String label, double[] values, double low, double high, String note) {
    public static Row heading(String label) {
      return new Row(label, new double[0], Double.NaN, Double.NaN, "");
    }

    /** A bar without a spread. */
    public static Row bar(String label, double[] values, String note) {
      return new Row(label, values, Double.NaN, Double.NaN, note);
    }

    boolean isHeading() {
      return values.length == 0;
    }

    /** The farthest place that is drawn. */
    double end() {
      double sum = Arrays.stream(values).sum();
      return Double.isNaN(high) ? sum : Math.max(sum, high);
    }
  }

  public BarChart {
    parts = List.copyOf(parts);
    rows = List.copyOf(rows);
    if (parts.isEmpty() || new HashSet<>(parts).size() < parts.size()) {
      throw new IllegalArgumentException("parts " + parts + "; expected names of their own");
    }
    for (Row row : rows) {
      boolean shown = Arrays.stream(row.values).allMatch(v -> v >= 0 && Double.isFinite(v));
      if (!row.isHeading() && row.values.length != parts.size() || !shown) {
        throw new IllegalArgumentException(
            "%s: values %s; expected %d of 0 and above"
                .formatted(row.label, Arrays.toString(row.values), parts.size()));
      }
    }
    if (rows.stream().allMatch(row -> row.end() == 0)) {
      throw new IllegalArgumentException("no bar is longer than 0");
    }
  }

  /** 1600 pixels wide, for a width of 800 on any screen; as high as the rows need. */
  public void writePng(Path file) throws IOException {
    AtomicFile.write(file, new Bars(this).png());
  }
}
