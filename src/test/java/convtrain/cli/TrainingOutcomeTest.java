package convtrain.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import convtrain.testing.CpuFlags;
import convtrain.train.SafeTensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** How a training may end, and that the same seed ends the same. */
class TrainingOutcomeTest {
  @TempDir private Path temp;
  private Path data;

  @BeforeEach
  void cutData() {
    data = MnistSample.folder(temp.resolve("data"), 300, 50);
  }

  @Test
  void theSameSeedGivesTheSameModelToTheByte() throws IOException {
    assertThat(train("a", "train.epochs=1").exitCode()).isZero();
    assertThat(train("b", "train.epochs=1").exitCode()).isZero();
    assertThat(train("c", "train.epochs=1", "seed=2").exitCode()).isZero();
    assertThat(temp.resolve("a/model.safetensors"))
        .hasSameBinaryContentAs(temp.resolve("b/model.safetensors"));
    assertThat(tensor("a", "stem/conv.weight")).isNotEqualTo(tensor("c", "stem/conv.weight"));
  }

  @Test
  void aRunThatWasKilledBeforeItBeganIsBegunAnew() throws IOException {
    assertThat(train("a", "train.epochs=1").exitCode()).isZero();
    byte[] model = Files.readAllBytes(temp.resolve("a/model.safetensors"));
    for (String file : List.of("run.json", "metrics.jsonl", "model.safetensors", "result.json")) {
      Files.delete(temp.resolve("a").resolve(file));
    }
    Cli again = train("a", "train.epochs=1");
    assertThat(again.exitCode()).as(again.err()).isZero();
    assertThat(temp.resolve("a/model.safetensors")).hasBinaryContent(model);
  }

  @Test
  void bf16LearnsWhatFp32LearnsAndIsTold() throws IOException {
    Assumptions.assumeTrue(CpuFlags.has("avx512_bf16"));
    Cli whole = train("fp32", "train.epochs=2");
    Cli rounded = train("bf16", "train.epochs=2", "train.precision=bf16");
    assertThat(rounded.exitCode()).as(rounded.err()).isZero();
    assertThat(whole.out()).containsPattern("batch size \\d+, seed 1,");
    assertThat(rounded.out()).containsPattern("batch size \\d+, bf16, seed 1,");
    for (int epoch = 0; epoch < 2; epoch++) {
      double expected = loss("fp32", epoch);
      assertThat(loss("bf16", epoch)).isNotEqualTo(expected).isCloseTo(expected, within(0.05));
    }
    assertThat(loss("bf16", 1)).isLessThan(loss("bf16", 0));
    assertThat(train("again", "train.epochs=2", "train.precision=bf16").exitCode()).isZero();
    assertThat(temp.resolve("again/model.safetensors"))
        .hasSameBinaryContentAs(temp.resolve("bf16/model.safetensors"));
  }

  @Test
  void theBatchSizeThatIsToldIsNoLargerThanTheData() {
    assertThat(train("few", "train.epochs=1", "data.limit=32").out())
        .contains("run:    1 epoch of 1 step, batch size 32, seed 1, to ");
  }

  private double loss(String run, int epoch) throws IOException {
    return EndToEndTest.epochs(temp.resolve(run)).get(epoch).get("train_loss").asDouble();
  }

  @Test
  void limitAndValidationSplitApplyToTheTrainingSamples() throws IOException {
    Cli result = train("limited", "train.epochs=1", "data.limit=200", "data.validation_split=0.1");
    assertThat(result.exitCode()).as(result.err()).isZero();
    int held = validationSize(result.out());
    assertThat(held).isBetween(15, 25);
    assertThat(result.out())
        .contains(
            "data:   %s, %d training, %d validation and 50 test images"
                .formatted(data, 200 - held, held));
    assertThat(
            EndToEndTest.epochs(temp.resolve("limited")).get(0).get("validation_loss").asDouble())
        .isPositive();
  }

  private static int validationSize(String out) {
    String before = out.substring(0, out.indexOf(" validation and"));
    return Integer.parseInt(before.substring(before.lastIndexOf(' ') + 1));
  }

  @Test
  void aLossThatDivergesIsToldAndNoModelSaved() {
    assertDiverged(
        "the loss became NaN or infinite in epoch \\d, step \\d of 5",
        "train.optimizer={\"type\": \"sgd\", \"lr\": 1e38}");
  }

  @Test
  void weightsThatDivergeBehindAFiniteLossAreToldAndNoModelSaved() {
    // The only step's loss comes before its update.
    assertDiverged(
        "tensor \\S+ became NaN or infinite in epoch 1",
        "data.limit=32",
        "train.batch_size=32",
        "train.optimizer={\"type\": \"sgd\", \"lr\": 1e20, \"weight_decay\": 1e30}");
  }

  @Test
  void aTestLossThatIsNotFiniteEndsTheRun() {
    List<String> arguments =
        arguments(
            temp.resolve("overflow"),
            "data.limit=32",
            "train.batch_size=32",
            "train.epochs=1",
            "train.schedule={\"type\": \"constant\"}",
            "train.optimizer={\"type\": \"sgd\", \"lr\": 1e37}");
    arguments.set(1, "configs/mlp.json");
    Cli result = Cli.run(arguments.toArray(String[]::new));
    assertThat(result.exitCode()).isEqualTo(1);
    assertThat(result.err()).contains("the test loss became NaN or infinite after epoch 1");
    assertThat(temp.resolve("overflow")).isDirectoryNotContaining("glob:**/model.safetensors");
  }

  @Test
  void theModelOfTheLastGoodEpochSurvivesADivergence() throws IOException {
    Path out = temp.resolve("later");
    List<String> arguments =
        arguments(
            out,
            "train.epochs=2",
            "train.schedule={\"type\": \"step\", \"step_size\": 1, \"gamma\": 1e37}");
    Cli result = Cli.run(arguments.toArray(String[]::new));
    assertThat(result.exitCode()).isEqualTo(1);
    assertThat(result.err()).contains("keeps the run file, the metrics and the model of epoch 1");
    assertThat(
            SafeTensors.read(out.resolve("model.safetensors"))
                .metadata()
                .get("convtrain.trained_to"))
        .startsWith("epoch 1,");
  }

  private void assertDiverged(String message, String... overrides) {
    List<String> arguments = arguments(temp.resolve("diverged"), overrides);
    arguments.add("--set=train.epochs=3");
    arguments.add("--set=train.schedule={\"type\": \"constant\"}");
    arguments.set(1, "configs/mlp.json");
    Cli result = Cli.run(arguments.toArray(String[]::new));
    assertThat(result.exitCode()).isEqualTo(1);
    assertThat(result.err())
        .matches(
            "convtrain: "
                + message
                + "; no epoch was completed; try a lower learning rate .*; the weights as they are now"
                + " are not saved; .*/diverged keeps the run file, the metrics\n");
    assertThat(temp.resolve("diverged"))
        .isDirectoryContaining("glob:**/run.json")
        .isDirectoryContaining("glob:**/metrics.jsonl")
        .isDirectoryNotContaining("glob:**/model.safetensors");
  }

  @Test
  void aSignalEndsTheRunWithTheModelAsItStands() throws Exception {
    Path out = temp.resolve("stopped");
    String log = stopAfterAnEpoch(out);
    int epochs = EndToEndTest.epochs(out).size();
    assertThat(log)
        .containsPattern(
            "\n\nstopped in epoch \\d+, step \\d of 5 after [0-9.]+ s: %s keeps the model as it stood and the metrics of %d epochs?\ngo on with: convtrain train --resume %s\n$"
                .formatted(out, epochs, out));
    assertThat(trainedTo(out))
        .matches("epoch %d, step 5 of 5|epoch %d, step [1-4] of 5".formatted(epochs, epochs + 1));
  }

  @Test
  void aSignalEndsARunThatKeepsItsBestWithTheBestSoFar() throws Exception {
    Path out = temp.resolve("stopped-best");
    String log = stopAfterAnEpoch(out, "train.keep=best", "train.monitor=train_loss");
    Matcher kept =
        Pattern.compile(" keeps the model of epoch (\\d+) \\(the best by train_loss\\) and the")
            .matcher(log);
    assertThat(kept.find()).as(log).isTrue();
    assertThat(trainedTo(out)).isEqualTo("epoch " + kept.group(1) + ", step 5 of 5");
  }

  private static String trainedTo(Path out) throws IOException {
    return SafeTensors.read(out.resolve("model.safetensors"))
        .metadata()
        .get("convtrain.trained_to");
  }

  /** Trains in a process of its own, which a signal ends after the first epoch; what it said. */
  private String stopAfterAnEpoch(Path out, String... overrides) throws Exception {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Dconvtrain.tuning=off",
                "-cp",
                System.getProperty("java.class.path"),
                "convtrain.cli.Main"));
    command.addAll(arguments(out, overrides));
    command.add("--set=train.epochs=100000");
    Path log = temp.resolve("log");
    Process process =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(log.toFile()).start();
    try {
      while (process.isAlive()
          && (!Files.exists(out.resolve("metrics.jsonl"))
              || Files.size(out.resolve("metrics.jsonl")) == 0)) {
        Thread.sleep(20);
      }
      process.destroy();
      assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    } finally {
      process.destroyForcibly();
    }
    assertThat(process.exitValue()).as(Files.readString(log)).isEqualTo(143);
    return Files.readString(log);
  }

  private float[] tensor(String folder, String name) throws IOException {
    return SafeTensors.read(temp.resolve(folder).resolve("model.safetensors"))
        .tensors()
        .get(name)
        .values();
  }

  private Cli train(String out, String... overrides) {
    return Cli.run(arguments(temp.resolve(out), overrides).toArray(String[]::new));
  }

  private List<String> arguments(Path out, String... overrides) {
    List<String> arguments =
        new ArrayList<>(
            List.of("train", "configs/mnist-8k.json", "--out=" + out, "--set=data.dir=" + data));
    arguments.add("--set=train.batch_size=64");
    Arrays.stream(overrides).forEach(override -> arguments.add("--set=" + override));
    return arguments;
  }
}
