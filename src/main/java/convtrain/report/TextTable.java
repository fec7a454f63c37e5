package convtrain.report;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/** Rows of text in aligned columns, two spaces apart, under a header and a rule. */
public final class TextTable {
  /** Which side of its column a cell keeps to. */
  public enum Align {
    LEFT,
    RIGHT
  }

  private record Column(String header, Align align) {}

  private final List<Column> columns = new ArrayList<>();
  private final List<List<String>> rows = new ArrayList<>();

  /** Adds a column of texts. */
  public TextTable left(String header) {
    columns.add(new Column(header, Align.LEFT));
    return this;
  }

  /** Adds a column of numbers. */
  public TextTable right(String header) {
    columns.add(new Column(header, Align.RIGHT));
    return this;
  }

  /** Adds a row with one cell per column. */
  public TextTable row(Object... cells) {
    if (cells.length != columns.size()) {
      throw new IllegalArgumentException(
          "a row of %d cells in a table of %d columns".formatted(cells.length, columns.size()));
    }
    rows.add(Arrays.stream(cells).map(String::valueOf).toList());
    return this;
  }

  /** The lines, each ending in a line feed, without trailing spaces. */
  public String render() {
    int[] widths = IntStream.range(0, columns.size()).map(this::width).toArray();
    StringBuilder text = new StringBuilder();
    appendLine(text, widths, columns.stream().map(Column::header).toList());
    int rule = Arrays.stream(widths).sum() + 2 * (widths.length - 1);
    text.append("-".repeat(rule)).append('\n');
    rows.forEach(row -> appendLine(text, widths, row));
    return text.toString();
  }

  private int width(int column) {
    int longest = columns.get(column).header.length();
    for (List<String> row : rows) {
      longest = Math.max(longest, row.get(column).length());
    }
    return longest;
  }

  private void appendLine(StringBuilder text, int[] widths, List<String> cells) {
    StringBuilder line = new StringBuilder();
    for (int i = 0; i < widths.length; i++) {
      String padding = " ".repeat(widths[i] - cells.get(i).length());
      boolean left = columns.get(i).align == Align.LEFT;
      line.append(i == 0 ? "" : "  ");
      line.append(left ? cells.get(i) + padding : padding + cells.get(i));
    }
    text.append(line.toString().stripTrailing()).append('\n');
  }
}
