package convtrain.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import convtrain.softcuda.SoftCuda;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Benchmarks from the command line, of a small network on a few digits. */
class BenchCommandTest {
  private static final int TRAIN = 24;

  @TempDir private static Path temp;
  private static Path config;

  @BeforeAll
  static void prepare() throws IOException {
    Path data = MnistSample.folder(temp.resolve("data"), TRAIN, 10);
    config = TinyRun.write(temp.resolve("tiny.json"), data);
  }

  private static Cli bench(String... more) {
    List<String> arguments = new ArrayList<>(List.of("bench", config.toString()));
    arguments.addAll(List.of(more));
    return Cli.run(arguments.toArray(String[]::new));
  }

  private static List<String> texts(JsonNode list, String key) {
    List<String> texts = new ArrayList<>();
    list.forEach(node -> texts.add(node.get(key).asText()));
    return texts;
  }

  private static double sum(JsonNode list) {
    double sum = 0;
    for (JsonNode node : list) {
      sum += node.isNumber() ? node.asDouble() : node.get("seconds").asDouble();
    }
    return sum;
  }

  @Test
  void everyCombinationIsMeasuredAndKept() throws IOException {
    Path json = temp.resolve("bench.json");
    Path plot = temp.resolve("bench.png");
    Cli result =
        bench(
            "--backend=cpu",
            "--threads=1",
            "--batch-size=8,64",
            "--epochs=2",
            "--warmup=1",
            "--json=" + json,
            "--plot=" + plot);
    assertThat(result.exitCode()).as(result.err()).isZero();
    assertThat(result.out())
        .contains("tiny: 2 epochs after 1, 2 trainings")
        .containsPattern("\\[2/2] backend cpu, threads 1, batch size 64: \\d+\\.\\d{3} s an epoch")
        .containsPattern("backend +threads +batch size +median s +min s +p95 s")
        .containsPattern("cpu +1 +8 +.*%\n");
    assertThat(ImageIO.read(plot.toFile()).getWidth()).isEqualTo(1600);
    JsonNode report = new ObjectMapper().readTree(json.toFile());
    assertThat(report.get("epochs")).hasSize(2);
    JsonNode second = report.get("epochs").get(1).get("result");
    assertThat(second.get("threads").asInt()).isOne();
    assertThat(second.get("batch_size").asInt()).as("there are no more").isEqualTo(TRAIN);
    assertThat(second.get("steps").asInt()).isOne();
    assertThat(report.get("epochs").get(0).get("result").get("steps").asInt()).isEqualTo(3);
    assertResult(second, 2, 1);
    assertThat(second.get("busy").get("what").asText()).startsWith("processor time");
  }

  private static void assertResult(JsonNode result, int counted, int notCounted) {
    assertThat(result.get("samples").asInt()).isEqualTo(TRAIN);
    assertThat(result.get("epoch_seconds").get("each")).hasSize(counted);
    assertThat(result.get("not_counted_seconds")).hasSize(notCounted);
    JsonNode clocks = result.get("clocks");
    assertThat(clocks.get("training_seconds").asDouble())
        .isCloseTo(
            sum(result.get("epoch_seconds").get("each")) + sum(result.get("not_counted_seconds")),
            within(1e-9));
    assertThat(texts(result.get("start_up"), "name"))
        .containsExactly("java", "run file", "libraries", "device", "data", "plan", "first step");
    result
        .get("start_up")
        .forEach(stage -> assertThat(stage.get("seconds").asDouble()).isNotNegative());
    assertThat(sum(result.get("start_up"))).isPositive();
    assertThat(clocks.get("process_seconds").asDouble())
        .isGreaterThan(sum(result.get("start_up")))
        .isGreaterThan(clocks.get("training_seconds").asDouble());
    assertThat(result.get("memory").get("device_bytes").asLong()).isBetween(10_000L, 100L << 20);
    assertThat(result.get("memory").get("resident_bytes").asLong()).isGreaterThan(20L << 20);
    // Processor time is counted in hundredths of a second, which these epochs may not take.
    assertThat(result.get("busy").get("share").asDouble()).isNotNegative();
    for (String ceiling : List.of("flops_per_second", "bytes_per_second")) {
      assertThat(result.get("ceilings").get(ceiling).asDouble()).isPositive();
    }
    // What TinyRun's layers multiply, forward and for two gradients; the images have none.
    double first = 13 * 13 * 4 * 9;
    double macs = first + 4 * 4 * 4 * 4 * 9 + 64 * 10;
    assertThat(result.get("rates").get("flops_per_epoch").asDouble())
        .isEqualTo((6 * macs - 2 * first) * TRAIN);
    // Each image: the values that TinyRun's layers read and write, forward and backward, then the
    // byte image and labels of staging and loss. Each step: the parameters, as OpCosts has them.
    int values = 4042 + 4926;
    int image = 4 * values + (784 + 4 + 4 * 784 + 4) + (4 * (10 + 10) + 4);
    int step = 4 * (36 + 24 + 148 + 650 + 640 + 650 + 144 + 148 + 12 + 36 + 3 * 842);
    assertThat(result.get("rates").get("bytes_per_epoch").asDouble())
        .isEqualTo(image * TRAIN + step * TRAIN / result.get("batch_size").asDouble());
  }

  @Test
  void theDeviceTellsHowBusyItIsInAnEpochThatDoesNotCount() throws IOException {
    SoftCuda.assumeAvailable();
    SoftCuda.control();
    Path json = temp.resolve("cuda.json");
    Cli result =
        bench("--backend=cuda", "--batch-size=8", "--epochs=1", "--warmup=1", "--json=" + json);
    assertThat(result.exitCode()).as(result.err()).isZero();
    JsonNode found = new ObjectMapper().readTree(json.toFile()).get("epochs").get(0).get("result");
    assertResult(found, 1, 2);
    assertThat(found.get("busy").get("what").asText()).startsWith("device time");
    assertThat(found.get("busy").get("share").asDouble()).isGreaterThan(0).isLessThanOrEqualTo(1);
    assertThat(SoftCuda.violations()).isEmpty();
    assertThat(SoftCuda.leaks()).isEmpty();
  }

  @Test
  void aCombinationThatCannotBeIsToldAndTheOthersAreMeasured() throws IOException {
    Path json = temp.resolve("failed.json");
    Cli result =
        bench(
            "--backend=cpu", "--precision=tf32,fp32", "--epochs=1", "--warmup=0", "--json=" + json);
    assertThat(result.exitCode()).isEqualTo(1);
    assertThat(result.err()).contains("the cpu backend computes in fp32");
    assertThat(result.out()).contains("backend cpu, precision tf32: train.precision=tf32");
    JsonNode epochs = new ObjectMapper().readTree(json.toFile()).get("epochs");
    assertThat(epochs.get(0).get("failure").asText()).contains("the cpu backend computes in fp32");
    assertThat(epochs.get(1).get("result").get("epoch_seconds").get("each")).hasSize(1);
  }

  @Test
  void whereNothingCanBeMeasuredTheExitCodeIsTheFailures() {
    Cli result = bench("--backend=cpu", "--precision=tf32", "--epochs=1");
    assertThat(result.exitCode()).isEqualTo(2);
    assertThat(result.out()).contains("precision tf32: train.precision=tf32");
  }

  @Test
  void aRaceEndsAtTheAccuracyForEachSeed() throws IOException {
    Path json = temp.resolve("race.json");
    Cli result =
        bench(
            "--backend=cpu",
            "--until=1",
            "--seeds=1,2",
            "--set=train.epochs=40",
            "--set=train.optimizer={\"type\": \"sgd\", \"lr\": 0.1}",
            "--json=" + json);
    assertThat(result.exitCode()).as(result.err()).isZero();
    assertThat(result.out())
        .contains("tiny: until 1.0 % of the test set, 2 trainings")
        .containsPattern("\\[1/2] backend cpu, seed 1: \\d+\\.\\d\\d% after \\d+ epoch")
        .containsPattern("cpu +training alone +2 of 2 ")
        .contains("The test set decides when to stop");
    JsonNode race = new ObjectMapper().readTree(json.toFile()).get("races").get(0);
    assertThat(race.get("reached").asInt()).isEqualTo(2);
    for (JsonNode run : race.get("runs")) {
      int epochs = run.get("epochs").asInt();
      assertThat(epochs).isLessThan(40);
      assertThat(run.get("test_accuracies")).hasSize(epochs);
      for (int i = 0; i < epochs - 1; i++) {
        assertThat(run.get("test_accuracies").get(i).asDouble()).isLessThan(0.005);
      }
      assertThat(run.get("test_accuracy").asDouble()).isGreaterThanOrEqualTo(0.005);
      assertThat(run.get("training_seconds").asDouble())
          .isCloseTo(sum(run.get("epoch_seconds")), within(1e-9));
      assertThat(run.get("process_seconds").asDouble())
          .isGreaterThan(
              run.get("training_seconds").asDouble() + run.get("scoring_seconds").asDouble());
    }
    assertThat(race.get("runs").get(1).get("seed").asInt()).isEqualTo(2);
  }

  @Test
  void anAccuracyThatIsNotReachedIsSaid() {
    Cli result = bench("--backend=cpu", "--until=100", "--seeds=3");
    assertThat(result.exitCode()).as(result.err()).isZero();
    assertThat(result.out())
        .containsPattern("seed 3: not reached: \\d+\\.\\d\\d% after 1 epoch at best")
        .containsPattern("training alone +0 of 1\n");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "--epochs=0 | --epochs=0; expected at least 1",
        "--warmup=-1 | --warmup=-1; expected at least 0",
        "--until=0 | --until=0.0; expected a test accuracy in percent",
        "--until=0.99 | --until=0.99; expected a test accuracy in percent, from 1 to 100, such as",
        "--seeds=1..3 | --seeds goes with --until",
        "--until=99 --epochs=3 | --epochs and --warmup do not go with --until",
        "--until=99 --plot=x.png | --plot draws epoch times",
        "--plot=x.png | --plot: nothing varies",
        "--batch-size=64,0 | --batch-size=64,0: found \"0\"; expected whole numbers",
        "--backend=cpu,gpu | --backend=gpu; expected auto, cuda, cpu",
        "--precision=fp8 | fp8",
        "--until=99 --seeds=x | --seeds x: expected seeds such as"
      })
  void wrongUsageIsToldBeforeAnythingStarts(String arguments, String message) {
    Cli result = bench(arguments.split(" "));
    assertThat(result.exitCode()).as(result.err()).isEqualTo(2);
    assertThat(result.err()).contains(message);
    assertThat(result.out()).isEmpty();
    assertThat(Files.exists(Path.of("x.png"))).isFalse();
  }
}
