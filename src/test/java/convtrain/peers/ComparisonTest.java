package convtrain.peers;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import convtrain.peers.Comparison.Range;
import convtrain.peers.Comparison.Row;
import convtrain.report.plot.BarChart;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ComparisonTest {
  @TempDir private Path folder;
  private final List<String> lines = new ArrayList<>();

  /** A line as scripts/bench-peers leaves it. */
  private void line(int round, String engine, String mode, int images, double... seconds) {
    lines.add(
        """
        {"round":%d,"allocator":"as shipped","run":"net","engine":"%s","mode":"%s","precision":"fp32",\
        "images":%d,"batch_size":128,"seconds":%s,"train_loss":0.1,"train_accuracy":null,\
        "test_accuracy":0.98%d,"version":"%s 1"}"""
            .formatted(round, engine, mode, images, Arrays.toString(seconds), round, engine));
  }

  private Comparison comparison() throws IOException {
    Path file = Files.write(folder.resolve("runs.jsonl"), lines);
    return new Comparison(Timing.read(file));
  }

  /** Three rounds, the second of which ran on a machine half as fast. */
  private Comparison threeRounds() throws IOException {
    line(1, "Convtrain", "", 1000, 10);
    line(1, "PyTorch", "contiguous", 1000, 40);
    line(1, "PyTorch", "channels_last", 1000, 30);
    line(2, "Convtrain", "", 1000, 20);
    line(2, "PyTorch", "contiguous", 1000, 70);
    line(2, "PyTorch", "channels_last", 1000, 64);
    line(3, "Convtrain", "", 1000, 11);
    line(3, "PyTorch", "contiguous", 1000, 41);
    line(3, "PyTorch", "channels_last", 1000, 22);
    return comparison();
  }

  @Test
  void ratiosAreTakenWithinEachRound() throws IOException {
    List<Row> rows = threeRounds().rows();
    assertThat(rows)
        .extracting(row -> row.way().label())
        .containsExactly("Convtrain", "PyTorch, contiguous", "PyTorch, channels_last");
    assertThat(rows.get(1).seconds()).isEqualTo(new Range(40, 41, 70));
    assertThat(rows.get(1).ratio()).isEqualTo(new Range(3.5, 41.0 / 11, 4));
    assertThat(rows.get(2).ratio()).isEqualTo(new Range(2, 3, 3.2));
    assertThat(rows.get(2).testAccuracy()).isEqualTo(new Range(.981, .982, .983));
  }

  @Test
  void theBestWayOfAnEngineIsNamed() throws IOException {
    assertThat(threeRounds().best("net", "fp32"))
        .extracting(row -> row.way().mode())
        .containsExactly("channels_last");
  }

  @Test
  void severalEpochsCountByTheirMedian() throws IOException {
    line(1, "Convtrain", "", 1000, 9, 10, 30);
    line(1, "PyTorch", "contiguous", 1000, 40, 20);
    List<Row> rows = comparison().rows();
    assertThat(rows.get(0).seconds().median()).isEqualTo(10);
    assertThat(rows.get(1).ratio().median()).isEqualTo(3);
  }

  @Test
  void fewerImagesAreExtrapolatedAndMarked() throws IOException {
    line(1, "Convtrain", "", 1000, 10);
    line(1, "DL4J", "", 100, 50);
    Comparison comparison = comparison();
    Row row = comparison.rows().get(1);
    assertThat(row.seconds().median()).isEqualTo(500);
    assertThat(row.ratio().median()).isEqualTo(50);
    ComparisonReport report = new ComparisonReport(comparison);
    assertThat(report.text())
        .contains("DL4J *")
        .contains("* DL4J was given 100 images: its epoch is extrapolated");
    BarChart chart = Charts.epochTime(comparison);
    assertThat(chart.rows()).extracting(BarChart.Row::label).containsExactly("net", "Convtrain");
    assertThat(chart.axis()).isEqualTo("seconds per epoch; DL4J, not shown: 500.0");
  }

  @Test
  void withoutOursThereIsNoRatio() throws IOException {
    line(1, "PyTorch", "contiguous", 1000, 40);
    assertThat(comparison().rows().get(0).ratio()).isNull();
    assertThat(new ComparisonReport(comparison()).text()).contains("PyTorch, contiguous     40.0");
  }

  @Test
  void aRoundThatAnEngineMissedHasNoRatioOfIt() throws IOException {
    line(1, "Convtrain", "", 1000, 10);
    line(2, "Convtrain", "", 1000, 20);
    line(2, "PyTorch", "contiguous", 1000, 50);
    assertThat(comparison().rows().get(1).ratio()).isEqualTo(new Range(2.5, 2.5, 2.5));
  }

  @Test
  void theTableHasEveryRoundAndTheFacts() throws IOException {
    String markdown = new ComparisonReport(threeRounds()).markdown(List.of("commit: abc"));
    assertThat(markdown)
        .startsWith("- commit: abc\n\nnet:\n\n| engine |")
        .contains("| Convtrain | 10.0, 20.0, 11.0 | 11.0 | 1 | 98.10 to 98.30 % |")
        .contains(
            "| PyTorch, channels_last | 30.0, 64.0, 22.0 | 30.0 | **3.00** (2.00 to 3.20) | 98.10 to 98.30 % |")
        .contains("PyTorch at its best (PyTorch, channels_last): 3.00 times Convtrain's time")
        .contains("3 rounds in turns; an epoch is 1,000 images")
        .contains("PyTorch: PyTorch 1");
  }

  @Test
  void theChartShowsMedianSpreadAndRatio() throws IOException {
    List<BarChart.Row> rows = Charts.epochTime(threeRounds()).rows();
    assertThat(rows).hasSize(4);
    assertThat(rows.get(1).note()).isEqualTo("11.0 s");
    assertThat(rows.get(1).values()).containsExactly(11, 0);
    assertThat(rows.get(3).values()).containsExactly(0, 30);
    assertThat(rows.get(3).low()).isEqualTo(22);
    assertThat(rows.get(3).high()).isEqualTo(64);
    assertThat(rows.get(3).note()).isEqualTo("30.0 s, 3.00 times");
  }

  @Test
  void aStepsTimeIsAddedUpByKindAndPhase() throws IOException {
    JsonNode profile =
        new ObjectMapper()
            .readTree(
                """
                {"ops": [
                  {"name": "bn1", "kind": "batch_norm2d", "phase": "forward", "ms": 1},
                  {"name": "conv1", "kind": "conv2d", "phase": "forward", "ms": 2},
                  {"name": "conv2", "kind": "conv2d", "phase": "forward", "ms": 0.5},
                  {"name": "conv1", "kind": "conv2d", "phase": "backward", "ms": 4},
                  {"name": "sgd", "kind": "update", "phase": "update", "ms": 0.5}]}
                """);
    BarChart chart = Charts.stepTime(profile);
    assertThat(chart.title()).isEqualTo("Where a step of 8.00 ms goes");
    assertThat(chart.parts()).containsExactly("forward", "backward", "other");
    assertThat(chart.rows())
        .extracting(BarChart.Row::label)
        .containsExactly("conv2d", "batch_norm2d", "update");
    assertThat(chart.rows().get(0).values()).containsExactly(2.5, 4, 0);
    assertThat(chart.rows().get(0).note()).isEqualTo("6.50 ms, 81.3 %");
    assertThat(chart.rows().get(2).values()).containsExactly(0, 0, 0.5);
  }
}
