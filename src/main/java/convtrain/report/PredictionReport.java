package convtrain.report;

import com.fasterxml.jackson.annotation.JsonProperty;
import convtrain.graph.Shape;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * What a network sees in pictures, as text and as JSON: the likeliest classes of each, and what was
 * done to the picture before.
 */
public final class PredictionReport {
  private record Choice(@JsonProperty("class") int index, double probability) {}

  private record Row(String image, List<Choice> top, boolean scaled, boolean inverted) {}

  private final Shape input;
  private final int classes;
  private final List<Row> rows = new ArrayList<>();

  /**
   * @param input what pictures were made to fit
   * @param classes how many of the likeliest classes are told
   */
  public PredictionReport(Shape input, int classes) {
    this.input = input;
    this.classes = classes;
  }

  /**
   * Adds a picture.
   *
   * @param source where it comes from
   * @param probabilities one per class
   * @param scaled whether its size was changed
   * @param inverted whether dark and light were exchanged
   */
  public void add(String source, double[] probabilities, boolean scaled, boolean inverted) {
    List<Choice> top =
        IntStream.range(0, probabilities.length)
            .mapToObj(c -> new Choice(c, probabilities[c]))
            .sorted(Comparator.comparingDouble(Choice::probability).reversed())
            .limit(classes)
            .toList();
    rows.add(new Row(source, top, scaled, inverted));
  }

  /** A row for each picture; lines end in line feeds. */
  public String text() {
    TextTable table = new TextTable().left("image").right("class").right("probability");
    boolean more = classes > 1;
    boolean notes = rows.stream().anyMatch(row -> row.scaled || row.inverted);
    if (more) {
      table.left("next");
    }
    if (notes) {
      table.left("note");
    }
    for (Row row : rows) {
      List<Object> cells = new ArrayList<>();
      cells.add(row.image);
      cells.add(row.top.get(0).index);
      cells.add(percent(row.top.get(0)));
      if (more) {
        cells.add(
            row.top.stream()
                .skip(1)
                .map(choice -> choice.index + " " + percent(choice))
                .collect(Collectors.joining(", ")));
      }
      if (notes) {
        cells.add(note(row));
      }
      table.row(cells.toArray());
    }
    return table.render();
  }

  private String note(Row row) {
    String scaled = "scaled to %d x %d".formatted(input.height(), input.width());
    String inverted = "inverted (was dark on light)";
    return row.scaled && row.inverted
        ? scaled + ", " + inverted
        : row.scaled ? scaled : row.inverted ? inverted : "";
  }

  private static String percent(Choice choice) {
    return String.format(Locale.ROOT, "%.2f%%", 100 * choice.probability);
  }

  /**
   * A list with an object for each picture: snake_case keys, probabilities 0 to 1, likeliest first.
   */
  public String json() {
    return Json.pretty(rows);
  }
}
