package convtrain.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import convtrain.bench.BenchGrid.Axis;
import convtrain.bench.BenchGrid.Kind;
import convtrain.config.ConfigException;
import convtrain.report.plot.LineChart;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** What a benchmark says and keeps. */
class BenchReportTest {
  private static EpochResult result(int batchSize, double seconds) {
    Ceilings ceilings = new Ceilings(200e9, 40e9);
    EpochWork work = new EpochWork(811e9, 60e9);
    return new EpochResult(
        "CPU",
        2,
        "fp32",
        batchSize,
        19_192,
        60_000,
        469,
        EpochTimes.of(List.of(seconds)),
        List.of(9.0),
        EpochResult.Rates.of(work, ceilings, seconds, 60_000),
        ceilings,
        new EpochResult.Busy(EpochResult.Busy.PROCESSOR, 0.9),
        new EpochResult.Memory(64 << 20, 300L << 20),
        List.of(new StartUp.Stage("java", 0.25), new StartUp.Stage("first step", 0.5)),
        new EpochResult.Accuracy(0.9, 0.95),
        new EpochResult.Clocks(9 + seconds, 1, 20));
  }

  private static Map<Kind, String> values(String threads, String batch) {
    Map<Kind, String> values = new LinkedHashMap<>();
    values.put(Kind.THREADS, threads);
    values.put(Kind.BATCH_SIZE, batch);
    return values;
  }

  private static TimeToAccuracy.Result run(
      long seed, boolean reached, double training, double process) {
    return new TimeToAccuracy.Result(
        "CPU", 2, seed, 99, reached, 2, training, 1, process, 0.991, 0.992, List.of(), List.of(),
        List.of());
  }

  /** 811 GFLOP take 4.055 s at 200 GFLOP/s. */
  @Test
  void ratesStandBesideTheCeilings() {
    EpochResult.Rates rates = result(128, 8.11).rates();
    assertThat(rates.flopsPerSecond()).isCloseTo(100e9, within(1.0));
    assertThat(rates.flopsShare()).isCloseTo(0.5, within(1e-9));
    assertThat(rates.floorSeconds()).isCloseTo(4.055, within(1e-9));
    assertThat(rates.timesFloor()).isCloseTo(2, within(1e-9));
    assertThat(rates.bytesShare()).isCloseTo(60 / 8.11 / 40, within(1e-9));
    assertThat(rates.imagesPerSecond()).isCloseTo(60_000 / 8.11, within(1e-6));
  }

  @Test
  void jsonHasWhatWasMeasuredAndWhatOn() throws IOException {
    BenchReport.Environment environment =
        BenchReport.Environment.current(
            List.of("convtrain", "bench"), Map.of("dnnl", "3.11-1.5.13"));
    BenchReport report =
        new BenchReport(
            "net",
            environment,
            List.of(
                BenchReport.Epochs.of(values("2", "128"), result(128, 8.11)),
                BenchReport.Epochs.failed(values("2", "512"), "out of memory")),
            null);
    JsonNode json = new ObjectMapper().readTree(report.toJson());
    assertThat(json.get("network").asText()).isEqualTo("net");
    assertThat(json.has("races")).isFalse();
    JsonNode ran = json.get("environment");
    assertThat(ran.get("machine").get("cores").asInt()).isPositive();
    assertThat(ran.get("machine").get("memory_bytes").asLong()).isPositive();
    assertThat(ran.get("jvm").get("version").asText()).isNotEmpty();
    assertThat(ran.get("libraries").get("dnnl").asText()).isEqualTo("3.11-1.5.13");
    assertThat(ran.get("command").get(1).asText()).isEqualTo("bench");
    assertThat(ran.get("load_average").isNumber()).isTrue();
    JsonNode one = json.get("epochs").get(0);
    assertThat(one.get("values").get("batch_size").asText()).isEqualTo("128");
    JsonNode result = one.get("result");
    assertThat(result.get("epoch_seconds").get("each").get(0).asDouble()).isEqualTo(8.11);
    assertThat(result.get("epoch_seconds").get("p95").asDouble()).isEqualTo(8.11);
    assertThat(result.get("not_counted_seconds").get(0).asDouble()).isEqualTo(9);
    assertThat(result.get("rates").get("times_floor").asDouble()).isCloseTo(2, within(1e-9));
    assertThat(result.get("ceilings").get("bytes_per_second").asDouble()).isEqualTo(40e9);
    assertThat(result.get("memory").get("resident_bytes").asLong()).isEqualTo(300L << 20);
    assertThat(result.get("clocks").get("process_seconds").asDouble()).isEqualTo(20);
    assertThat(result.get("accuracy").get("test").asDouble()).isEqualTo(0.95);
    assertThat(json.get("epochs").get(1).get("failure").asText()).isEqualTo("out of memory");
    assertThat(json.get("epochs").get(1).has("result")).isFalse();
  }

  @Test
  void tableHasARowForEachCombinationAndSaysWhatFailed() {
    String table =
        BenchTable.ofEpochs(
            List.of(
                BenchReport.Epochs.of(values("1", "128"), result(128, 8.11)),
                BenchReport.Epochs.of(values("2", "64"), result(64, 16.22)),
                BenchReport.Epochs.failed(values("2", "512"), "out of memory")));
    assertThat(table)
        .containsPattern("threads +batch size +median s +min s +p95 s +images/s")
        .containsPattern("1 +128 +8\\.110 +8\\.110 +8\\.110 +7,398 +100\\.0 +50\\.0%")
        .containsPattern("2 +64 +16\\.22 .* 4\\.00 +90\\.0%")
        .containsPattern("1 +128 +200\\.0 +40\\.0 +64\\.0 +300\\.0 +90\\.00% +95\\.00%")
        .containsPattern("1 +128 +0\\.250 +0\\.500 +0\\.750\n")
        .contains("threads 2, batch size 512: out of memory");
  }

  @Test
  void aLoadedMachineIsWarnedOf() {
    assertThat(BenchReport.Environment.warning(0.5, 2)).isNull();
    assertThat(BenchReport.Environment.warning(-1, 2)).as("not told").isNull();
    assertThat(BenchReport.Environment.warning(0.51, 2)).contains("load 0.51 on 2 cores");
  }

  @Test
  void spreadsAreOfTheRunsThatGotThere() {
    BenchReport.Race race =
        BenchReport.Race.of(
            Map.of(Kind.BATCH_SIZE, "64"),
            List.of(run(1, true, 4, 6), run(2, false, 100, 100), run(3, true, 6, 10)),
            List.of("seed 4: diverged"));
    assertThat(race.reached()).isEqualTo(2);
    assertThat(race.trainingSeconds().mean()).isEqualTo(5);
    assertThat(race.trainingSeconds().standardDeviation()).isCloseTo(Math.sqrt(2), within(1e-9));
    assertThat(race.processSeconds().min()).isEqualTo(6);
    assertThat(race.processSeconds().max()).isEqualTo(10);
    assertThat(BenchTable.ofRaces(List.of(race)))
        .containsPattern("64 +training alone +2 of 4 +5\\.00 +1\\.41 +4\\.00 +6\\.00")
        .containsPattern("64 +the whole process +2 of 4 +8\\.00 +2\\.83 +6\\.00 +10\\.00");
  }

  @Test
  void aRaceThatNoRunFinishedHasNoTimes() {
    BenchReport.Race race = BenchReport.Race.of(Map.of(), List.of(run(1, false, 4, 6)), List.of());
    assertThat(race.trainingSeconds()).isNull();
    assertThat(BenchTable.ofRaces(List.of(race))).containsPattern("training alone +0 of 1\n");
  }

  @Test
  void plotGoesOverTheLongestNumericAxisWithALineForEachOther() {
    List<Axis> axes =
        List.of(
            new Axis(Kind.PRECISION, List.of("fp32", "tf32", "fp16", "bf16")),
            new Axis(Kind.THREADS, List.of("1")),
            new Axis(Kind.BATCH_SIZE, List.of("64", "128")));
    Axis over = BenchPlot.over(axes);
    assertThat(over.kind()).isEqualTo(Kind.BATCH_SIZE);
    LineChart chart =
        BenchPlot.chart(
            "net",
            over,
            List.of(
                BenchReport.Epochs.of(values("1", "64"), result(64, 3)),
                BenchReport.Epochs.of(values("1", "128"), result(128, 2)),
                BenchReport.Epochs.failed(values("2", "64"), "gone"),
                BenchReport.Epochs.of(values("2", "128"), result(128, 1))));
    assertThat(chart.x().scale()).isEqualTo(LineChart.Scale.DOUBLINGS);
    assertThat(chart.y().scale()).isEqualTo(LineChart.Scale.FROM_ZERO);
    assertThat(chart.series())
        .extracting(LineChart.Series::name)
        .containsExactly("threads 1", "threads 2");
    assertThat(chart.series().get(0).x()).containsExactly(64, 128);
    assertThat(chart.series().get(0).y()).containsExactly(3, 2);
    assertThat(chart.series().get(1).x()).containsExactly(128);
  }

  @Test
  void timesThatDifferTenfoldAreDrawnAsRatios() {
    Axis over = new Axis(Kind.BATCH_SIZE, List.of("64", "128"));
    LineChart chart =
        BenchPlot.chart(
            "net",
            over,
            List.of(
                BenchReport.Epochs.of(values("1", "64"), result(64, 30)),
                BenchReport.Epochs.of(values("1", "128"), result(128, 3))));
    assertThat(chart.y().scale()).isEqualTo(LineChart.Scale.LOGARITHMIC);
  }

  @Test
  void whereNothingVariesNothingIsDrawn() {
    assertThatThrownBy(
            () -> BenchPlot.over(List.of(new Axis(Kind.PRECISION, List.of("fp32", "tf32")))))
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("--plot: nothing varies");
  }

  @Test
  void peakOfMemoryIsReadFromTheSystemsTable() {
    assertThat(ProcessMemory.peakBytes("VmPeak:\t  9 kB\nVmHWM:\t  300 kB\nVmRSS:\t 200 kB\n"))
        .isEqualTo(300 * 1024);
    assertThat(ProcessMemory.peakBytes("nothing of the kind")).isNull();
  }
}
