package convtrain.train;

import java.util.Arrays;

/**
 * How a model scores on a split: its loss and its confusion matrix, from which all else follows.
 *
 * <p>Of class c, with tp = confusion[c][c]: precision = tp / (column sum), recall = tp / (row sum),
 * F1 = 2 tp / (row sum + column sum); each is 0 where its denominator is 0.
 */
public final class Evaluation {
  private final String split;
  private final double loss;
  private final long[][] confusion;

  /**
   * @param split what was scored, {@code test}
   * @param loss the run's loss without label smoothing, the mean over the samples
   * @param confusion samples by true class (row) and predicted class (column); copied
   */
  public Evaluation(String split, double loss, long[][] confusion) {
    this.split = split;
    this.loss = loss;
    this.confusion = Arrays.stream(confusion).map(long[]::clone).toArray(long[][]::new);
    for (int row = 0; row < confusion.length; row++) {
      if (confusion[row].length != confusion.length) {
        throw new IllegalArgumentException(
            "confusion row %d has %d columns; expected %d, one per class"
                .formatted(row, confusion[row].length, confusion.length));
      }
      if (Arrays.stream(confusion[row]).anyMatch(count -> count < 0)) {
        throw new IllegalArgumentException("confusion row " + row + " has a count below 0");
      }
    }
  }

  /** What was scored, {@code test}. */
  public String split() {
    return split;
  }

  /** The run's loss without label smoothing, the mean over the samples. */
  public double loss() {
    return loss;
  }

  public int classes() {
    return confusion.length;
  }

  /** Samples of class {@code actual} that were taken for {@code predicted}. */
  public long count(int actual, int predicted) {
    return confusion[actual][predicted];
  }

  /** Samples by true class (row) and predicted class (column); a copy. */
  public long[][] confusion() {
    return Arrays.stream(confusion).map(long[]::clone).toArray(long[][]::new);
  }

  /** Samples scored. */
  public long samples() {
    return Arrays.stream(confusion).flatMapToLong(Arrays::stream).sum();
  }

  /** Samples whose predicted class is the true one. */
  public long correct() {
    long sum = 0;
    for (int c = 0; c < confusion.length; c++) {
      sum += confusion[c][c];
    }
    return sum;
  }

  /** correct / samples, 0 to 1. */
  public double accuracy() {
    return ratio(correct(), samples());
  }

  /** Samples of a class: its row's sum. */
  public long support(int c) {
    return Arrays.stream(confusion[c]).sum();
  }

  /** Samples taken for a class: its column's sum. */
  public long predicted(int c) {
    return Arrays.stream(confusion).mapToLong(row -> row[c]).sum();
  }

  public double precision(int c) {
    return ratio(confusion[c][c], predicted(c));
  }

  public double recall(int c) {
    return ratio(confusion[c][c], support(c));
  }

  public double f1(int c) {
    return ratio(2 * confusion[c][c], support(c) + predicted(c));
  }

  private static double ratio(long part, long whole) {
    return whole == 0 ? 0 : (double) part / whole;
  }
}
