package convtrain.worksheet;

import convtrain.files.AtomicFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The worksheet as one HTML page that needs no other file and no network: diagram, derivation,
 * iterations, and the plot of error against iterations.
 */
public final class HtmlPage {
  private static final String STYLE =
      """
      body { font: 16px/1.5 sans-serif; color: #222; max-width: 880px; margin: 2em auto; padding: 0 1em; }
      h1 { font-size: 1.6em; } h2 { font-size: 1.2em; margin-top: 2em; }
      svg { width: 100%; height: auto; }
      .formulas, .scroll { overflow-x: auto; }
      .formulas table { border-collapse: collapse; font-family: serif; font-size: 1.05em; }
      .formulas td { padding: 0 .3em; white-space: nowrap; vertical-align: top; }
      .formulas td:first-child { text-align: right; }
      .formulas tr.first td { padding-top: .5em; }
      .number { font-weight: bold; }
      .data { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .78em; }
      .data th, .data td { text-align: right; padding: .15em .4em; border-bottom: 1px solid #ddd; }
      .data th { background: #ddebf7; }
      """;

  private final Worksheet worksheet;
  private final Shown shown;
  private final RateStudy study;
  private final StringBuilder html = new StringBuilder();

  private HtmlPage(Worksheet worksheet, RateStudy study, boolean all) {
    this.worksheet = worksheet;
    this.study = study;
    shown = new Shown(worksheet.sizes(), all);
  }

  /**
   * Writes the page.
   *
   * @param study the learning rates of the plot; the worksheet's own may be the only one
   * @param all whether a wide network's every neuron is written out too
   */
  public static void write(Worksheet worksheet, RateStudy study, boolean all, Path file)
      throws IOException {
    AtomicFile.write(file, new HtmlPage(worksheet, study, all).page());
  }

  private String page() {
    head();
    html.append(SvgDiagram.render(worksheet)).append("<p>");
    html.append(
        StartValues.of(worksheet, shown).stream()
            .map(line -> line.what() + ": " + Notation.html(line.values()))
            .collect(Collectors.joining("<br/>\n")));
    html.append("</p>\n");
    new Derivation(worksheet, shown).sections().forEach(this::section);
    html.append("<h2>Iterations with learning rate ").append(Numbers.of(worksheet.lr()));
    html.append("</h2>\n<p>n counts updates.</p>\n");
    IterationTable table = new IterationTable(worksheet, shown);
    table(table.header().stream().map(Notation::html).toList(), table.rows());
    html.append("<h2>Error against iterations</h2>\n").append(study.chart().svg());
    if (study.rates().size() > 1) {
      rates();
    }
    return html.append("</body>\n</html>\n").toString();
  }

  private void head() {
    html.append(
        """
        <!DOCTYPE html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>Back-propagation by hand</title>
        <style>
        %s</style>
        </head>
        <body>
        <h1>Back-propagation by hand</h1>
        <p>%s, learning rate %s. In each circle, what leaves it before the first update.</p>
        """
            .formatted(STYLE, worksheet.sizes().inWords(), Numbers.of(worksheet.lr())));
  }

  private void section(Derivation.Section section) {
    html.append("<h2>").append(section.title()).append("</h2>\n");
    if (!section.note().isEmpty()) {
      html.append("<p>").append(section.note()).append("</p>\n");
    }
    html.append("<div class=\"formulas\"><table>\n");
    section.equations().forEach(this::equation);
    html.append("</table></div>\n");
  }

  private void equation(Derivation.Equation equation) {
    int last = equation.steps().size() - 1;
    for (int step = 0; step <= last; step++) {
      String right = equation.steps().get(step);
      boolean number = step == last && right.matches("-?[0-9.e+-]+");
      html.append(
          "<tr%s><td>%s</td><td>=</td><td%s>%s</td></tr>\n"
              .formatted(
                  step == 0 ? " class=\"first\"" : "",
                  step == 0 ? Notation.html(equation.left()) : "",
                  number ? " class=\"number\"" : "",
                  Notation.html(right)));
    }
  }

  private void rates() {
    html.append("<p>E after n updates:</p>\n");
    List<String> header =
        Stream.concat(
                Stream.of("learning rate"),
                Arrays.stream(study.tableSteps()).mapToObj(n -> "n=" + n))
            .toList();
    table(header, study.rows());
  }

  private void table(List<String> header, List<List<String>> rows) {
    html.append("<div class=\"scroll\"><table class=\"data\">\n<tr>");
    header.forEach(name -> html.append("<th>").append(name).append("</th>"));
    html.append("</tr>\n");
    for (List<String> row : rows) {
      html.append(
          row.stream()
              .map(Notation::html)
              .collect(Collectors.joining("</td><td>", "<tr><td>", "</td></tr>\n")));
    }
    html.append("</table></div>\n");
  }
}
