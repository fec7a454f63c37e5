package convtrain.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Many seeds, sweeps and their reports. */
class RunGroupTest {
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir private static Path temp;
  private static Path config;
  private static Path seeds;
  private static Cli training;

  @BeforeAll
  static void trainThreeSeeds() throws IOException {
    Path data = MnistSample.folder(temp.resolve("data"), 64, 40);
    config = TinyRun.write(temp.resolve("tiny.json"), data);
    seeds = temp.resolve("seeds");
    training = Cli.run("train", config.toString(), "--seeds=1..3", "--out=" + seeds);
    assertThat(training.exitCode()).as(training.err()).isZero();
  }

  private static double accuracy(Path run) throws IOException {
    return JSON.readTree(run.resolve("result.json").toFile()).get("test_accuracy").asDouble();
  }

  @Test
  void everySeedHasItsRunAndTheSummaryMeanAndSpread() throws IOException {
    List<Double> accuracies = new ArrayList<>();
    for (int seed = 1; seed <= 3; seed++) {
      Path run = seeds.resolve("seed=" + seed);
      assertThat(run.resolve("model.safetensors")).exists();
      assertThat(JSON.readTree(run.resolve("run.json").toFile()).get("seed").asInt())
          .isEqualTo(seed);
      accuracies.add(accuracy(run));
    }
    JsonNode summary = JSON.readTree(seeds.resolve("summary.json").toFile()).get(0);
    double mean = accuracies.stream().mapToDouble(a -> a).average().orElseThrow();
    double squares = accuracies.stream().mapToDouble(a -> (a - mean) * (a - mean)).sum();
    assertThat(summary.at("/test_accuracy/n").asInt()).isEqualTo(3);
    assertThat(summary.at("/test_accuracy/mean").asDouble()).isEqualTo(mean);
    assertThat(summary.at("/test_accuracy/standard_deviation").asDouble())
        .isEqualTo(Math.sqrt(squares / 2));
    assertThat(training.out())
        .contains("[1/3] seed=1\n", "[3/3] seed=3\n", "of 3 runs", "\ntest acc  ");
    assertThat(seeds.resolve("summary.txt")).content().contains("of 3 runs");
    assertThat(seeds.resolve("summary.png")).isNotEmptyFile();
  }

  @Test
  void aSeedOfManyIsTheSeedAlone() {
    Path alone = temp.resolve("alone");
    Cli result = Cli.run("train", config.toString(), "--set=seed=2", "--out=" + alone);
    assertThat(result.exitCode()).as(result.err()).isZero();
    assertThat(alone.resolve("model.safetensors"))
        .hasSameBinaryContentAs(seeds.resolve("seed=2/model.safetensors"));
  }

  @Test
  void resumedItTrainsWhatIsMissingAndNothingElse() throws IOException {
    Path group = temp.resolve("resumed");
    String[] first = {"train", config.toString(), "--seeds=4,5", "--out=" + group, "--shard=1/2"};
    assertThat(Cli.run(first).exitCode()).isZero();
    assertThat(group.resolve("seed=5")).doesNotExist();
    byte[] done = Files.readAllBytes(group.resolve("seed=4/provenance.json"));
    Cli rest = Cli.run("train", "--resume=" + group);
    assertThat(rest.exitCode()).as(rest.err()).isZero();
    assertThat(rest.out()).contains("[2/2] seed=5").doesNotContain("[1/2] seed=4");
    assertThat(group.resolve("seed=4/provenance.json")).hasBinaryContent(done);
    assertThat(JSON.readTree(group.resolve("summary.json").toFile()).get(0).get("runs").asInt())
        .isEqualTo(2);
  }

  @Test
  void theShardsShareAFolderAndMayNotDiffer() {
    Path group = temp.resolve("shards");
    assertThat(shard(group, "1/2", "--seeds=1..2").exitCode()).isZero();
    assertThat(shard(group, "2/2", "--seeds=1..2").exitCode()).isZero();
    assertThat(group.resolve("seed=1/result.json")).exists();
    assertThat(group.resolve("seed=2/result.json")).exists();
    Cli other = shard(group, "1/2", "--seeds=1..3");
    assertThat(other.exitCode()).isEqualTo(2);
    assertThat(other.err())
        .isEqualTo(
            "convtrain: --out %s holds other runs than these (see its group.json); give another folder\n"
                .formatted(group));
    Cli twice = Cli.run("train", config.toString(), "--seeds=1..2", "--out=" + group);
    assertThat(twice.exitCode()).isEqualTo(2);
    assertThat(twice.err()).contains("go on with them (--resume " + group + ")");
  }

  @Test
  void aPartWithoutRunsHasNothingToDoWhetherOrNotItComesFirst() {
    Path group = temp.resolve("empty-part");
    Cli empty = shard(group, "3/3", "--seeds=1..2");
    assertThat(empty.exitCode()).as(empty.err()).isZero();
    assertThat(empty.out()).endsWith("nothing to do: part 3 of 3 has none of them\n");
    assertThat(shard(group, "1/3", "--seeds=1..2").exitCode()).isZero();
    Cli later = shard(group, "3/3", "--seeds=1..2");
    assertThat(later.exitCode()).as(later.err()).isZero();
    assertThat(later.out()).contains("nothing to do", group.resolve("seed=1").toString());
  }

  @Test
  void aRunDoesNotGoIntoTheFolderOfAGroup() {
    Cli run = Cli.run("train", config.toString(), "--out=" + seeds);
    assertThat(run.exitCode()).isEqualTo(2);
    assertThat(run.err()).contains("holds another run (found group.json)");
    assertThat(seeds.resolve("run.json")).doesNotExist();
  }

  private static Cli shard(Path group, String shard, String seedList) {
    return Cli.run("train", config.toString(), seedList, "--out=" + group, "--shard=" + shard);
  }

  @Test
  void aRunThatAnotherProcessTrainsIsPassedOver() throws IOException {
    Path group = temp.resolve("busy");
    assertThat(shard(group, "1/2", "--seeds=1..2").exitCode()).isZero();
    Path run = group.resolve("seed=1");
    Files.delete(run.resolve("result.json"));
    try (FileChannel other =
            FileChannel.open(
                run.resolve(".lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
        FileLock lock = other.lock()) {
      assertThat(lock.isValid()).isTrue();
      Cli rest = Cli.run("train", "--resume=" + group);
      assertThat(rest.exitCode()).isEqualTo(1);
      assertThat(rest.out())
          .contains(run + ": another process trains it; passed over")
          .contains("1 of 2 runs is not over");
      assertThat(rest.err())
          .isEqualTo(
              "convtrain: other processes still train 1 of the runs (seed=1); once they end, this trains what is left and shows all: convtrain train --resume %s\n"
                  .formatted(group));
      assertThat(Cli.run("sweep", "--resume=" + group).exitCode()).isEqualTo(1);
    }
    assertThat(group.resolve("seed=2/result.json")).exists();
  }

  @Test
  void aSweepIsSortedByResultAndSurvivesValuesThatDiverge() throws IOException {
    Path group = temp.resolve("sweep");
    Cli sweep =
        Cli.run(
            "sweep",
            config.toString(),
            "--set=train.optimizer.lr=0.0001,1e38,0.05",
            "--set=train.epochs=3",
            "--backend=cpu",
            "--out=" + group);
    assertThat(sweep.exitCode()).as(sweep.err()).isZero();
    assertThat(sweep.err()).contains("convtrain: the loss became NaN or infinite");
    String table = sweep.out().substring(sweep.out().indexOf("optimizer.lr  runs"));
    assertThat(table.lines().skip(2).limit(3).map(line -> line.split(" +")[0]))
        .containsExactly("0.05", "1.0E-4", "1.0E38");
    assertThat(table).contains("diverged", "1 of 3 runs diverged", "sorted by test accuracy");
    Cli again = Cli.run("sweep", "--resume=" + group, "--backend=cpu");
    assertThat(again.out()).contains("0.05").doesNotContain("epoch        lr");
  }

  @Test
  void aRunThatCannotBeTrainedIsToldAndTheOthersGoOn() throws IOException {
    Path group = temp.resolve("impossible");
    Cli sweep = sweep(group, "--set=data.validation_split=0.2,0.0001,0.3");
    assertThat(sweep.exitCode()).as(sweep.err()).isEqualTo(1);
    assertThat(sweep.err())
        .startsWith("convtrain: validation_split=0.0001: ")
        .contains("validation_split=1.0E-4 would hold out 0 of 64 samples");
    assertThat(sweep.err().lines()).hasSize(1);
    assertThat(sweep.out()).contains("[3/3] validation_split=0.3\n", "\nvalidation_split");
    assertThat(JSON.readTree(group.resolve("summary.json").toFile())).hasSize(2);
    assertThat(group.resolve("summary.png")).isNotEmptyFile();
  }

  @Test
  void aRunThatTheDeviceCannotComputeLeavesItToTheNext() throws IOException {
    Path group = temp.resolve("precisions");
    Cli sweep = sweep(group, "--set=train.precision=fp32,tf32", "--seeds=1,2");
    assertThat(sweep.exitCode()).as(sweep.err()).isEqualTo(1);
    assertThat(sweep.err().lines())
        .hasSize(2)
        .allMatch(line -> line.matches("convtrain: precision=tf32,seed=[12]: .*--backend cuda.*"));
    Path reversed = temp.resolve("precisions-reversed");
    Cli other = sweep(reversed, "--seeds=1,2", "--set=train.precision=tf32,fp32");
    assertThat(other.exitCode()).as(other.err()).isEqualTo(1);
    for (String seed : List.of("1", "2")) {
      assertThat(accuracy(group.resolve("precision=fp32,seed=" + seed)))
          .isEqualTo(accuracy(reversed.resolve("precision=fp32,seed=" + seed)));
    }
  }

  @Test
  void whatKeepsEveryRunFromTrainingIsToldOnceBeforeTheFirst() {
    Path group = temp.resolve("none-possible");
    Cli sweep = sweep(group, "--set=train.precision=tf32,fp16");
    assertThat(sweep.exitCode()).isEqualTo(2);
    assertThat(sweep.err()).startsWith("convtrain: train.precision=tf32: ");
    assertThat(sweep.err().lines()).hasSize(1);
    assertThat(sweep.out()).doesNotContain("[1/2]");
    Cli noData =
        Cli.run(
            "train",
            config.toString(),
            "--set=data.dir=" + temp.resolve("nowhere"),
            "--seeds=1..3",
            "--out=" + temp.resolve("no-data"));
    assertThat(noData.exitCode()).isEqualTo(2);
    assertThat(noData.err().lines()).hasSize(1);
    assertThat(noData.out()).doesNotContain("[1/3]");
  }

  private static Cli sweep(Path group, String... axes) {
    List<String> arguments = new ArrayList<>(List.of("sweep", config.toString(), "--out=" + group));
    arguments.addAll(List.of(axes));
    return Cli.run(arguments.toArray(String[]::new));
  }

  @Test
  void aSignalBetweenTwoRunsEndsTheGroupAndReportsIt() throws Exception {
    Path group = temp.resolve("stopped");
    Path log = temp.resolve("stopped.log");
    Process process =
        ResumeTest.start(
            log, List.of("train", config.toString(), "--seeds=1..100", "--out=" + group));
    try {
      while (process.isAlive() && !Files.exists(group.resolve("seed=1/result.json"))) {
        Thread.sleep(1);
      }
      process.destroy();
      assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    } finally {
      process.destroyForcibly();
    }
    String said = Files.readString(log);
    assertThat(process.exitValue()).as(said).isEqualTo(143);
    assertThat(said)
        .containsPattern("\nstopped (before seed=|in epoch )\\d+")
        .containsPattern("\ngo on with: convtrain train --resume " + group)
        .doesNotContain("convtrain: ");
    assertThat(group.resolve("summary.txt")).content().contains("seed=1");
    assertThat(group.resolve("seed=100")).doesNotExist();
  }

  @Test
  void reportPutsRunsOfAnyFoldersTogether() throws IOException {
    Cli text = Cli.run("report", seeds.toString());
    assertThat(text.exitCode()).isZero();
    assertThat(text.out()).contains("of 3 runs").contains(seeds.resolve("seed=3").toString());
    Cli csv =
        Cli.run(
            "report",
            seeds.resolve("seed=1").toString(),
            seeds.resolve("seed=3").toString(),
            "--csv");
    List<String> lines = csv.out().lines().toList();
    assertThat(lines.get(0))
        .isEqualTo(
            "seed,status,epochs,kept_epoch,validation_accuracy,test_accuracy,test_loss,train_seconds,folder");
    assertThat(lines.subList(1, lines.size()))
        .extracting(line -> line.split(",")[0])
        .containsExactly("1", "3");
    String again = temp.resolve("./seeds/seed=1").toString();
    assertThat(Cli.run("report", seeds.toString(), again, "--csv").out().lines()).hasSize(1 + 3);
    JsonNode json = JSON.readTree(Cli.run("report", seeds.toString(), "--json").out());
    assertThat(json.get(0).get("members").findValuesAsText("seed")).containsExactly("1", "2", "3");
    Cli none = Cli.run("report", temp.resolve("data").toString());
    assertThat(none.exitCode()).isEqualTo(2);
    assertThat(none.err()).contains("found no run (run.json) in it or below");
  }

  @Test
  void whatWasChosenOnTheTestSetIsMarkedEverywhere() throws IOException {
    Path run = temp.resolve("best-on-test");
    Cli result =
        Cli.run(
            "train",
            config.toString(),
            "--set=train.epochs=3",
            "--set=train.keep=best",
            "--set=train.monitor=test_accuracy",
            "--out=" + run);
    assertThat(result.exitCode()).as(result.err()).isZero();
    assertThat(result.out())
        .containsPattern(
            "the best of 3 by test_accuracy\\), chosen on the test set: too good to be fair");
    double best =
        EndToEndTest.epochs(run).stream()
            .mapToDouble(epoch -> epoch.get("test_accuracy").asDouble())
            .max()
            .orElseThrow();
    assertThat(accuracy(run)).isEqualTo(best);
    Cli evaluation = Cli.run("evaluate", run.toString(), "--json");
    assertThat(JSON.readTree(evaluation.out()).get("accuracy").asDouble()).isEqualTo(best);
    assertThat(Cli.run("report", run.toString(), seeds.toString()).out())
        .containsPattern("\\d%\\*")
        .contains("* chosen on the test set: better than is fair");
  }

  @Test
  void testTimeAugmentationNeedsARunThatVariedItsImages() {
    Path run = seeds.resolve("seed=1");
    Cli result = Cli.run("evaluate", run.toString(), "--tta=2");
    assertThat(result.exitCode()).isEqualTo(2);
    assertThat(result.err())
        .isEqualTo(
            "convtrain: --tta=2: %s was trained without data.augment, which would say how to vary images; leave --tta out\n"
                .formatted(run));
  }

  @Test
  void earlyStoppingEndsARunThatNoLongerImproves() throws IOException {
    Path run = temp.resolve("early");
    Cli result =
        Cli.run(
            "train",
            config.toString(),
            "--set=train.epochs=50",
            "--set=train.optimizer={\"type\": \"sgd\", \"lr\": 1e-9}",
            "--set=train.monitor=train_accuracy",
            "--set=train.early_stopping={\"patience\": 2, \"min_delta\": 0.5}",
            "--out=" + run);
    assertThat(result.exitCode()).as(result.err()).isZero();
    assertThat(EndToEndTest.epochs(run)).hasSize(3);
    assertThat(result.out()).contains("after 3 epochs (stopped early)");
    assertThat(JSON.readTree(run.resolve("result.json").toFile()).get("status").asText())
        .isEqualTo("stopped_early");
  }
}
