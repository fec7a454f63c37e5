package convtrain.report;

import convtrain.train.Evaluation;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;

/**
 * An evaluation as text and as JSON: loss, accuracy, per-class table, confusion matrix.
 *
 * <p>The precision of a class that nothing was taken for, the recall of one that has no sample and
 * the F1 of one that has neither are undefined: {@code -}, in JSON null, and left out of the mean,
 * as scikit-learn does by {@code zero_division=nan}. F1 counts a class with samples that nothing
 * was taken for as 0.
 *
 * @param subject what was scored
 * @param classNames one per class
 */
public record EvaluationReport(Subject subject, Evaluation evaluation, List<String> classNames) {
  /**
   * What tells these numbers from others.
   *
   * @param model the file
   * @param data the folder
   * @param tta variations of each image, besides itself, that were scored with it; 0 if none
   * @param lossType its word in the run file
   */
  public record Subject(String model, String data, int tta, String lossType) {}

  public EvaluationReport {
    classNames = List.copyOf(classNames);
    if (classNames.size() != evaluation.classes()) {
      throw new IllegalArgumentException(
          "%d class names for %d classes".formatted(classNames.size(), evaluation.classes()));
    }
  }

  /** Calls the classes 0, 1, 2 ... */
  public EvaluationReport(Subject subject, Evaluation evaluation) {
    this(
        subject,
        evaluation,
        IntStream.range(0, evaluation.classes()).mapToObj(Integer::toString).toList());
  }

  /** For people; lines end in line feeds. */
  public String text() {
    return "%s on %s%s\n"
            .formatted(subject.model, subject.data, subject.tta == 0 ? "" : ", " + variations())
        + String.format(
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

  private String variations() {
    return "each image and %s of it (--tta %d)"
        .formatted(subject.tta == 1 ? "1 variation" : subject.tta + " variations", subject.tta);
  }

  /** For programs: snake_case keys, ratios 0 to 1, the confusion matrix by rows of true class. */
  public String json() {
    List<ClassScore> scores =
        IntStream.range(0, evaluation.classes()).mapToObj(this::score).toList();
    return Json.pretty(
        new Content(
            subject.model,
            subject.data,
            subject.tta,
            subject.lossType,
            evaluation.split(),
            evaluation.samples(),
            evaluation.loss(),
            evaluation.accuracy(),
            scores,
            evaluation.confusion()));
  }

  private record Content(
      String model,
      String data,
      int tta,
      String lossType,
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
        evaluation.predicted(c) == 0 ? Double.NaN : evaluation.precision(c),
        evaluation.support(c) == 0 ? Double.NaN : evaluation.recall(c),
        evaluation.predicted(c) + evaluation.support(c) == 0 ? Double.NaN : evaluation.f1(c));
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
        ratio(mean(ClassScore::precision)),
        ratio(mean(ClassScore::recall)),
        ratio(mean(ClassScore::f1)));
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

  private double mean(ToDoubleFunction<ClassScore> score) {
    return IntStream.range(0, evaluation.classes())
        .mapToObj(this::score)
        .mapToDouble(score)
        .filter(value -> !Double.isNaN(value))
        .average()
        .orElse(Double.NaN);
  }

  private static String ratio(double value) {
    return Double.isNaN(value) ? "-" : String.format(Locale.ROOT, "%.4f", value);
  }
}
