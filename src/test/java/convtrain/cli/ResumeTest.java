package convtrain.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assumptions.assumeThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import convtrain.train.SafeTensors;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs that were cut off go on as if they had not been. */
class ResumeTest {
  private static final int TRAIN = 300;
  private static final int TEST = 50;

  /** Everything that a checkpoint has to carry. */
  private static final List<String> SETTINGS =
      List.of(
          "--set=train.batch_size=32",
          "--set=train.epochs=4",
          "--set=data.validation_split=0.1",
          "--set=data.augment={\"random_affine\": {\"degrees\": 10}}",
          "--set=train.optimizer={\"type\": \"adamw\", \"lr\": 0.01}",
          "--set=train.schedule={\"type\": \"reduce_on_plateau\", \"patience\": 0,"
              + " \"threshold\": 0.5, \"factor\": 0.5}",
          "--set=train.ema={\"decay\": 0.9}",
          "--set=train.accumulate_steps=2",
          "--set=train.keep=best",
          "--set=train.checkpoint_every.steps=3");

  @TempDir private static Path temp;
  private static Path data;
  private static Path config;
  private static Path whole;

  @BeforeAll
  static void trainWithoutACut() throws IOException {
    data = MnistSample.folder(temp.resolve("data"), TRAIN, TEST);
    config = TinyRun.write(temp.resolve("tiny.json"), data);
    whole = temp.resolve("whole");
    Cli result = Cli.run(fresh(whole).toArray(String[]::new));
    assertThat(result.exitCode()).as(result.err()).isZero();
    assertThat(metrics(whole)).hasSize(4);
  }

  private static List<String> fresh(Path out) {
    List<String> arguments = new ArrayList<>(List.of("train", config.toString(), "--out=" + out));
    arguments.addAll(SETTINGS);
    return arguments;
  }

  /** The epochs' numbers without the clock's. */
  private static List<JsonNode> metrics(Path run) throws IOException {
    List<JsonNode> epochs = new ArrayList<>(EndToEndTest.epochs(run));
    epochs.forEach(
        epoch ->
            ((ObjectNode) epoch)
                .remove(List.of("train_seconds", "test_seconds", "images_per_second")));
    return epochs;
  }

  private static void assertSameAsWhole(Path run) throws IOException {
    SafeTensors expected = SafeTensors.read(whole.resolve("model.safetensors"));
    SafeTensors found = SafeTensors.read(run.resolve("model.safetensors"));
    assertThat(found.metadata()).isEqualTo(expected.metadata());
    assertThat(found.tensors().keySet()).isEqualTo(expected.tensors().keySet());
    found
        .tensors()
        .forEach(
            (name, tensor) ->
                assertThat(tensor.values())
                    .as(name)
                    .isEqualTo(expected.tensors().get(name).values()));
    assertThat(metrics(run)).isEqualTo(metrics(whole));
  }

  @Test
  void aFullDiskIsToldWithItsFileAndTheRemedy() throws IOException {
    assumeThat(Path.of("/dev/full")).exists();
    Path run = temp.resolve("full");
    String[] fresh = {"train", config.toString(), "--set=train.epochs=1", "--out=" + run};
    assertThat(Cli.run(fresh).exitCode()).isZero();
    Path result = run.resolve("result.json");
    Files.writeString(result, "{");
    assertThat(Cli.run("train", "--resume=" + run).err())
        .startsWith("convtrain: " + result + ": damaged (line 1): ");
    Files.delete(result);
    Path log = run.resolve("metrics.jsonl");
    Files.delete(log);
    Files.createSymbolicLink(log, Path.of("/dev/full"));
    Cli full = Cli.run("train", "--resume=" + run);
    assertThat(full.exitCode()).isEqualTo(1);
    assertThat(full.err())
        .isEqualTo(
            "convtrain: reading or writing failed: %s: No space left on device; free space, then convtrain train --resume %s\n"
                .formatted(log, run));
    Files.delete(log);
    assertThat(Cli.run("train", "--resume=" + run).exitCode()).isZero();
    assertThat(result).isNotEmptyFile();
    Path provenance = Files.writeString(run.resolve("provenance.json"), "");
    Files.delete(result);
    assertThat(Cli.run("train", "--resume=" + run).err())
        .isEqualTo(
            "convtrain: %s: damaged (line 1): this is not what convtrain wrote; the run cannot go on without it: bring back a copy\n"
                .formatted(provenance));
  }

  /** Starts a run in a process of its own, which reaches at most the file that is named. */
  static Process start(Path log, List<String> arguments) throws IOException {
    List<String> command =
        new ArrayList<>(
            List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                "convtrain.cli.Main"));
    command.addAll(arguments);
    command.add("--backend=cpu");
    return new ProcessBuilder(command)
        .redirectErrorStream(true)
        .redirectOutput(ProcessBuilder.Redirect.appendTo(log.toFile()))
        .start();
  }

  /** Kills the process some time after its run has begun, if it is not faster. */
  private static void killAfter(Process process, Path run, long millis) throws Exception {
    while (process.isAlive() && !Files.exists(run.resolve("run.json"))) {
      Thread.sleep(5);
    }
    if (!process.waitFor(millis, TimeUnit.MILLISECONDS)) {
      process.destroyForcibly();
    }
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
  }

  @Test
  void killedAtAnyMomentItEndsLikeTheRunThatWasNot() throws Exception {
    Path run = temp.resolve("killed");
    Path log = temp.resolve("killed.log");
    Random random = new Random(7);
    killAfter(start(log, fresh(run)), run, random.nextInt(50));
    int kills = 0;
    for (; kills < 6 && !Files.exists(run.resolve("result.json")); kills++) {
      Process process = start(log, List.of("train", "--resume=" + run));
      while (process.isAlive() && Files.size(log) == 0) {
        Thread.sleep(5);
      }
      killAfter(process, run, 500 + random.nextInt(1500));
      assertEverythingIsReadable(run);
    }
    Cli end = Cli.run("train", "--resume=" + run);
    assertThat(end.exitCode()).as(end.err()).isZero();
    assertThat(kills).as(Files.readString(log)).isPositive();
    assertSameAsWhole(run);
    try (Stream<Path> left = Files.list(run.resolve("checkpoints"))) {
      assertThat(left.filter(file -> file.toString().endsWith(".safetensors"))).hasSize(2);
    }
  }

  private static void assertEverythingIsReadable(Path run) throws IOException {
    try (Stream<Path> files = Files.walk(run)) {
      for (Path file : files.filter(name -> name.toString().endsWith(".safetensors")).toList()) {
        if (!file.getFileName().toString().startsWith(".")) {
          SafeTensors.read(file);
        }
      }
    }
  }

  @Test
  void aCheckpointInTheMiddleOfAnEpochGoesOnToTheBit() throws IOException {
    Path run = copyOfWhole("middle");
    Path checkpoint = run.resolve("checkpoints/epoch-00004-batch-0000006.safetensors");
    assertThat(checkpoint).exists();
    try (Stream<Path> newer = Files.list(run.resolve("checkpoints"))) {
      for (Path file : newer.filter(file -> !file.equals(checkpoint)).toList()) {
        Files.delete(file);
      }
    }
    Files.delete(run.resolve("result.json"));
    Files.delete(run.resolve("model.safetensors"));
    Files.writeString(
        run.resolve("metrics.jsonl"), "{\"epoch\":9}\n{\"ep", StandardOpenOption.APPEND);
    List<String> arguments =
        new ArrayList<>(List.of("train", config.toString(), "--resume=" + run));
    arguments.addAll(SETTINGS);
    Cli result = Cli.run(arguments.toArray(String[]::new));
    assertThat(result.exitCode()).as(result.err()).isZero();
    assertThat(result.out()).contains("seed 1, from epoch 4, step 6 of 9, in " + run);
    assertThat(metrics(run)).isEqualTo(metrics(whole));
    assertThat(run.resolve("provenance-resumed-1.json")).exists();
  }

  @Test
  void onAnotherDeviceItGoesOnAndSaysThatTheBitsWillDiffer() throws IOException {
    Path run = copyOfWhole("moved");
    Files.delete(run.resolve("result.json"));
    Path provenance = run.resolve("provenance.json");
    String changed =
        Files.readString(provenance).replaceFirst("\"CPU, \\d+ threads?", "\"CPU, 99 threads");
    Files.writeString(provenance, changed);
    Cli result = Cli.run("train", "--resume=" + run);
    assertThat(result.exitCode()).as(result.err()).isZero();
    assertThat(result.out()).contains("note:   the run began on CPU, 99 threads");
  }

  private Path copyOfWhole(String name) throws IOException {
    Path copy = temp.resolve(name);
    try (Stream<Path> files = Files.walk(whole)) {
      for (Path file : files.toList()) {
        Path target = copy.resolve(whole.relativize(file).toString());
        if (Files.isDirectory(file)) {
          Files.createDirectories(target);
        } else {
          Files.copy(file, target);
        }
      }
    }
    return copy;
  }

  @Test
  void evaluateScoresTheSamplesThatTheRunHeldOut() throws IOException {
    JsonNode scores =
        new ObjectMapper()
            .readTree(Cli.run("evaluate", whole.toString(), "--split=validation", "--json").out());
    double[] losses =
        metrics(whole).stream()
            .mapToDouble(epoch -> epoch.get("validation_loss").asDouble())
            .toArray();
    assertThat(scores.get("samples").asInt()).isBetween(25, 35);
    assertThat(scores.get("loss").asDouble())
        .as("the model is that of the best epoch")
        .isEqualTo(Arrays.stream(losses).min().orElseThrow());
  }

  @Test
  void aRunThatIsOverSaysSoAndStaysAsItIs() throws IOException {
    byte[] before = Files.readAllBytes(whole.resolve("model.safetensors"));
    Cli result = Cli.run("train", "--resume=" + whole);
    assertThat(result.exitCode()).isZero();
    assertThat(result.out())
        .startsWith(whole + " is over: test accuracy ")
        .contains("the best of 4 by validation_loss");
    assertThat(whole.resolve("model.safetensors")).hasBinaryContent(before);
  }

  @Test
  void anotherRunFileIsRefusedWithWhatDiffers() {
    Cli result =
        Cli.run("train", "--resume=" + whole, "--set=train.epochs=9", "--set=train.ema=null");
    assertThat(result.exitCode()).isEqualTo(2);
    assertThat(result.err())
        .startsWith("convtrain: --resume " + whole + ": the run file is not the one it began with;")
        .contains("\n  train.epochs: began with 4, found 9\n")
        .contains("\n  train.ema.decay: began with 0.9, found nothing\n");
  }

  @Test
  void otherDataIsRefused() throws IOException {
    Path run = copyOfWhole("other-data");
    Files.delete(run.resolve("result.json"));
    Path labels = data.resolve("t10k-labels-idx1-ubyte");
    byte[] before = Files.readAllBytes(labels);
    byte[] changed = Arrays.copyOf(before, before.length);
    changed[before.length - 1] = (byte) ((changed[before.length - 1] + 1) % 10);
    try {
      Files.write(labels, changed);
      Cli result = Cli.run("train", "--resume=" + run);
      assertThat(result.exitCode()).isEqualTo(2);
      assertThat(result.err())
          .startsWith(
              "convtrain: " + run + ": the run began with other data than is now in " + labels);
    } finally {
      Files.write(labels, before);
    }
  }

  @Test
  void aFolderWithoutARunIsRefused() {
    Cli result = Cli.run("train", "--resume=" + data);
    assertThat(result.exitCode()).isEqualTo(2);
    assertThat(result.err())
        .isEqualTo(
            "convtrain: %s holds no run (no run.json); expected a folder that convtrain train made\n"
                .formatted(data));
  }

  private static void cutShort(Path file) throws IOException {
    try (FileChannel open = FileChannel.open(file, StandardOpenOption.WRITE)) {
      open.truncate(open.size() / 2);
    }
  }

  /** The files of a run's checkpoints, the older first. */
  private static List<Path> checkpoints(Path run) throws IOException {
    try (Stream<Path> files = Files.list(run.resolve("checkpoints"))) {
      return files.sorted().toList();
    }
  }

  @Test
  void fromADamagedCheckpointItGoesBackToTheOneBefore() throws IOException {
    Path run = copyOfWhole("damaged");
    Files.delete(run.resolve("result.json"));
    List<Path> checkpoints = checkpoints(run);
    assertThat(checkpoints).hasSize(2);
    Path newest = checkpoints.get(1);
    cutShort(newest);
    Cli result = Cli.run("train", "--resume=" + run);
    assertThat(result.exitCode()).as(result.err()).isZero();
    assertThat(result.out())
        .contains("note:   " + newest + ": ")
        .contains("; going on from the checkpoint before it\n")
        .contains("from epoch 4, step 6 of 9, in ");
    assertThat(run.resolve("model.safetensors"))
        .hasSameBinaryContentAs(whole.resolve("model.safetensors"));
    assertThat(metrics(run)).isEqualTo(metrics(whole));
    assertThat(newest).satisfies(file -> assertThat(SafeTensors.read(file).tensors()).isNotEmpty());
  }

  @Test
  void whereAllCheckpointsAreDamagedTheErrorNamesThemAndSaysWhatToDo() throws IOException {
    Path run = copyOfWhole("spoilt");
    Files.delete(run.resolve("result.json"));
    List<Path> checkpoints = checkpoints(run);
    cutShort(checkpoints.get(0));
    Files.copy(
        whole.resolve("model.safetensors"),
        checkpoints.get(1),
        StandardCopyOption.REPLACE_EXISTING);
    Cli result = Cli.run("train", "--resume=" + run);
    assertThat(result.exitCode()).isEqualTo(2);
    assertThat(result.err())
        .contains("no checkpoint can be read; bring one back from a copy, or train anew")
        .contains(checkpoints.get(0) + ": ")
        .contains(checkpoints.get(1) + ": its metadata has no \"convtrain.position\"");
  }

  @Test
  void twoProcessesDoNotTrainInOneFolder() throws IOException {
    Path run = copyOfWhole("locked");
    Files.delete(run.resolve("result.json"));
    try (FileChannel other =
            FileChannel.open(
                run.resolve(".lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        FileLock lock = other.lock()) {
      assertThat(lock.isValid()).isTrue();
      Cli result = Cli.run("train", "--resume=" + run);
      assertThat(result.exitCode()).isEqualTo(2);
      assertThat(result.err()).contains(run + ": another process trains in this folder");
    }
  }

  @Test
  void aRunFromGivenWeightsThatWasCutOffBeforeItsFirstCheckpointHasThemStill() throws IOException {
    Path given = whole.resolve("model.safetensors");
    Path straight = temp.resolve("straight");
    String init = "--init=" + given;
    String set = "--set=data.dir=" + data;
    Cli first = Cli.run("train", config.toString(), set, init, "--out=" + straight);
    assertThat(first.exitCode()).as(first.err()).isZero();
    Path cut = temp.resolve("cut");
    assertThat(Cli.run("train", config.toString(), set, init, "--out=" + cut).exitCode()).isZero();
    Files.delete(cut.resolve("result.json"));
    Files.delete(cut.resolve("checkpoints/epoch-00002-batch-0000000.safetensors"));
    Files.delete(cut.resolve("model.safetensors"));
    Cli again = Cli.run("train", "--resume=" + cut);
    assertThat(again.exitCode()).as(again.err()).isZero();
    assertThat(cut.resolve("model.safetensors"))
        .hasSameBinaryContentAs(straight.resolve("model.safetensors"));
  }

  /** The network was trained on varied images, so those of the test set tell it more than one. */
  @Test
  void testTimeAugmentationScoresTheMeanOfAnImageAndItsVariations() throws IOException {
    ObjectMapper json = new ObjectMapper();
    JsonNode plain = json.readTree(Cli.run("evaluate", whole.toString(), "--json").out());
    Cli four = Cli.run("evaluate", whole.toString(), "--tta=4", "--json");
    assertThat(four.exitCode()).as(four.err()).isZero();
    JsonNode varied = json.readTree(four.out());
    assertThat(varied.get("samples").asInt()).isEqualTo(TEST);
    assertThat(varied.get("loss").asDouble())
        .isNotEqualTo(plain.get("loss").asDouble())
        .isCloseTo(plain.get("loss").asDouble(), within(0.3));
    assertThat(Cli.run("evaluate", whole.toString(), "--tta=4", "--json").out())
        .isEqualTo(four.out());
    Cli none = Cli.run("evaluate", temp.resolve("straight").toString(), "--tta=-1");
    assertThat(none.exitCode()).isEqualTo(2);
    assertThat(none.err()).startsWith("convtrain: --tta=-1; expected 0 to 1000");
  }
}
