package convtrain.report;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.train.EpochRecord;
import convtrain.train.TrainStart;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ConsoleProgressTest {
  private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
  private final PrintStream out = new PrintStream(bytes, false, StandardCharsets.UTF_8);
  private long nanos;

  private static final String TWO_EPOCHS =
      """
      epoch        lr  train loss  train acc  test loss  test acc  seconds  images/s
          1  0.030000      0.2500     92.50%     0.1250    96.25%     12.5     4,800
         20  5.00e-05    1.23e+04    100.00%        NaN     0.00%    112.5    48,000
      """;

  private ConsoleProgress progress(boolean live, int columns) {
    return new ConsoleProgress(out, live, columns, () -> nanos);
  }

  private static void train(ConsoleProgress progress) {
    progress.started(new TrainStart(20, 1000, 128, 0, false));
    progress.step(1, 1, 8, 2.3, 0.1);
    progress.step(1, 8, 8, 0.25, 0.925);
    progress.epoch(
        new EpochRecord(1, 20, 8, 0.03, 0.25, 0.925, 0.125, 0.9625, 12.5, 1.5, 4800, null, null));
    progress.step(20, 8, 8, 0.2, 1);
    progress.epoch(
        new EpochRecord(
            20, 20, 160, 5e-5, 12345.6, 1, Double.NaN, 0, 112.5, 1.5, 48000.4, null, null));
    progress.finished();
  }

  @Test
  void pipedOutputIsAHeaderAndALinePerEpoch() {
    train(progress(false, 80));
    assertThat(bytes.toString(StandardCharsets.UTF_8)).isEqualTo(TWO_EPOCHS);
  }

  @Test
  void aValidationSplitHasItsColumns() {
    ConsoleProgress progress = progress(false, 80);
    progress.started(new TrainStart(1, 1000, 128, 0, true));
    progress.epoch(
        new EpochRecord(1, 1, 8, 0, 0.25, 0.925, 0.125, 0.9625, 12.5, 1.5, 4800, 0.5, 0.75));
    assertThat(bytes.toString(StandardCharsets.UTF_8))
        .isEqualTo(
            """
            epoch        lr  train loss  train acc  val loss  val acc  test loss  test acc  seconds  images/s
                1  0.000000      0.2500     92.50%    0.5000   75.00%     0.1250    96.25%     12.5     4,800
            """);
  }

  @Test
  void everyLineIsOutBeforeTheEpochReturns() {
    ByteArrayOutputStream slow = new ByteArrayOutputStream();
    PrintStream buffered =
        new PrintStream(new java.io.BufferedOutputStream(slow), false, StandardCharsets.UTF_8);
    ConsoleProgress progress = new ConsoleProgress(buffered, false, 80, () -> nanos);
    train(progress);
    assertThat(slow.toString(StandardCharsets.UTF_8)).isEqualTo(TWO_EPOCHS);
  }

  @Test
  void theLiveBarLeavesOnlyTheEpochLinesOnTheScreen() {
    train(progress(true, 100));
    String raw = bytes.toString(StandardCharsets.UTF_8);
    assertThat(screen(raw)).isEqualTo(TWO_EPOCHS);
    assertThat(raw).contains("\repoch 1/20 [").doesNotContain("\u001b");
  }

  @Test
  void finishingInTheMiddleOfAnEpochErasesTheBar() {
    ConsoleProgress progress = progress(true, 100);
    progress.started(new TrainStart(20, 1000, 128, 0, false));
    progress.step(1, 1, 8, 2.3, 0.1);
    progress.finished();
    assertThat(screen(bytes.toString(StandardCharsets.UTF_8)))
        .isEqualTo(TWO_EPOCHS.lines().findFirst().orElseThrow() + "\n");
  }

  @Test
  void anInterruptOfTheTrainingThreadOutlivesTheBar() {
    ConsoleProgress progress = progress(true, 100);
    progress.started(new TrainStart(20, 1000, 128, 0, false));
    progress.step(1, 1, 8, 2.3, 0.1);
    Thread.currentThread().interrupt();
    progress.finished();
    assertThat(Thread.interrupted()).isTrue();
    assertThat(screen(bytes.toString(StandardCharsets.UTF_8))).hasLineCount(1);
  }

  @Test
  void theBarShowsPlaceRateLossAccuracyAndRemainingTime() {
    TrainStart start = new TrainStart(20, 1000, 128, 0, false);
    try (LiveBar bar = new LiveBar(out, 200, start, 3, 0, 8, () -> nanos, 0)) {
      nanos = 500_000_000_000L;
      bar.step(2, 0.0451, 0.98611);
      assertThat(bar.text(2, 8, 99))
          .isEqualTo(
              "epoch 3/20 [=======>                      ]  25%  1 images/s  loss 0.0451  acc"
                  + " 98.61%  ETA 25:00");
      assertThat(bar.text(2, 8, 79))
          .isEqualTo(
              "epoch 3/20 [===>         ]  25%  1 images/s  loss 0.0451  acc 98.61%  ETA 25:00")
          .hasSize(79);
      assertThat(bar.text(2, 8, 20)).isEqualTo("epoch 3/20 25%");
      assertThat(bar.text(2, 8, 11)).isEmpty();
      nanos = 2_000_000_000L;
      bar.step(8, 0.0451, 0.98611);
      assertThat(bar.text(8, 8, 120))
          .isEqualTo(
              "epoch 3/20 [==============================] 100%  500 images/s  loss 0.0451  acc"
                  + " 98.61%  testing");
      nanos = 5_000_000_000L;
      assertThat(bar.text(8, 8, 120))
          .as("the time of testing does not lower the rate")
          .contains("500 images/s");
      nanos = 3600_000_000_000L;
      bar.step(1, 0.0451, 0.98611);
      assertThat(bar.text(1, 8, 120)).endsWith("ETA 7:00:00");
    }
  }

  @Test
  void ofAnEpochTakenUpInItsMiddleOnlyTheStepsSinceCount() throws Exception {
    ConsoleProgress progress = progress(true, 120);
    nanos = 7_000_000_000L;
    progress.started(new TrainStart(20, 1000, 100, 6, false));
    nanos = 9_000_000_000L;
    progress.step(3, 8, 10, 0.0451, 0.98611);
    progress.finished();
    assertThat(bytes.toString(StandardCharsets.UTF_8))
        .contains("]  80%  100 images/s  loss 0.0451  acc 98.61%  ETA 0:02");
    bytes.reset();
    progress.started(new TrainStart(20, 1000, 100, 6, false));
    progress.epoch(
        new EpochRecord(3, 20, 30, 0, 0.25, 0.925, 0.125, 0.9625, 12.5, 1.5, 80, null, null));
    nanos = 11_000_000_000L;
    progress.step(4, 2, 10, 0.0451, 0.98611);
    progress.finished();
    assertThat(bytes.toString(StandardCharsets.UTF_8))
        .as("the next epoch is whole")
        .contains("]  20%  100 images/s  loss 0.0451  acc 98.61%  ETA 0:08");
  }

  /** What a terminal shows: a carriage return goes to the line's start, text overwrites. */
  private static String screen(String raw) {
    List<StringBuilder> lines = new ArrayList<>(List.of(new StringBuilder()));
    int column = 0;
    for (char c : raw.toCharArray()) {
      StringBuilder line = lines.get(lines.size() - 1);
      if (c == '\r') {
        column = 0;
      } else if (c == '\n') {
        lines.add(new StringBuilder());
        column = 0;
      } else {
        line.replace(column, Math.min(column + 1, line.length()), String.valueOf(c));
        column++;
      }
    }
    return String.join("\n", lines.stream().map(line -> line.toString().stripTrailing()).toList());
  }
}
