package convtrain.report;

import convtrain.train.Evaluation;
import java.util.List;
import java.util.Locale;
import java.util.function.IntToDoubleFunction;
import java.util.stream.IntStream;

/**
 * An evaluation as text and as JSON: loss, accuracy, per-class table, confusion matrix.
 *
 * @param classNames one per class
 */
public record EvaluationReport(Evaluation evaluation, List<String> classNames) {
  public EvaluationReport {
    classNames = List.copyOf(classNames);
    if (classNames.size() != evaluation.classes()) {
      throw new IllegalArgumentException(
          "%d class names for %d classes".formatted(classNames.size(), evaluation.classes()));
    }
  }

  /** Calls the classes 0, 1, 2 ... */
  public EvaluationReport(Evaluation evaluation) {
    this(evaluation, IntStream.range(0, evaluation.classes()).mapToObj(Integer::toString).toList());
  }

  /** For people; lines end in line feeds. */
  public String text() {
    return String.format(
            Locale.ROOT,
            "%s: %,d samples, loss %.4f, accuracy %.2f%% (%,d wrong)\n",
            evaluation.split(),
            evaluation.samples(),
            evaluation.loss(),
            100 * evaluation.accuracy(),
            evaluation.samples() - evaluation.correct())
        + "\n"
        + perClass()
        + "\n"
        + confusion();
  }

  /** For programs: snake_case keys, ratios 0 to 1, the confusion matrix by rows of true class. */
  public String json() {
    List<ClassScore> scores =
        IntStream.range(0, evaluation.classes()).mapToObj(this::score).toList();
    return Json.pretty(
        new Content(
            evaluation.split(),
            evaluation.samples(),
            evaluation.loss(),
            evaluation.accuracy(),
            scores,
            evaluation.confusion()));
  }

  private record Content(
      String split,
      long samples,
      double loss,
      double accuracy,
      List<ClassScore> classes,
      long[][] confusion) {}

  private record ClassScore(
      String name, long samples, double precision, double recall, double f1) {}

  private ClassScore score(int c) {
    return new ClassScore(
        classNames.get(c),
        evaluation.support(c),
        evaluation.precision(c),
        evaluation.recall(c),
        evaluation.f1(c));
  }

  private String perClass() {
    TextTable table =
        new TextTable()
            .left("class")
            .right("samples")
            .right("precision")
            .right("recall")
            .right("F1");
    for (int c = 0; c < evaluation.classes(); c++) {
      ClassScore score = score(c);
      table.row(
          score.name,
          String.format(Locale.ROOT, "%,d", score.samples),
          ratio(score.precision),
          ratio(score.recall),
          ratio(score.f1));
    }
    table.row(
        "mean",
        "",
        ratio(mean(evaluation::precision)),
        ratio(mean(evaluation::recall)),
        ratio(mean(evaluation::f1)));
    return table.render();
  }

  private String confusion() {
    TextTable table = new TextTable().left("true \\ predicted");
    classNames.forEach(table::right);
    for (int actual = 0; actual < evaluation.classes(); actual++) {
      Object[] cells = new Object[evaluation.classes() + 1];
      cells[0] = classNames.get(actual);
      for (int predicted = 0; predicted < evaluation.classes(); predicted++) {
        cells[predicted + 1] = evaluation.count(actual, predicted);
      }
      table.row(cells);
    }
    return table.render();
  }

  private double mean(IntToDoubleFunction scoreOfClass) {
    return IntStream.range(0, evaluation.classes()).mapToDouble(scoreOfClass).average().orElse(0);
  }

  private static String ratio(double value) {
    return String.format(Locale.ROOT, "%.4f", value);
  }
}
