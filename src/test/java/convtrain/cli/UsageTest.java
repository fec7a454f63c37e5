package convtrain.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Help, exit codes and messages: everything that ends before the first step. */
class UsageTest {
  private static final String CONFIG = "configs/mnist-19k.json";

  @TempDir private Path temp;

  @Test
  void helpShowsCommandsExitCodesAndExamples() {
    Cli help = Cli.run("--help");
    assertThat(help.exitCode()).isZero();
    assertThat(help.out())
        .contains("  train     ", "  evaluate  ", "  predict   ", "  summary   ")
        .contains("  0   done\n", "  1   failed", "  2   wrong usage or wrong input")
        .contains("\nExamples:\n  convtrain train configs/mnist-19k.json\n")
        .doesNotContain("\u001b");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "train",
        "sweep",
        "report",
        "evaluate",
        "predict",
        "summary",
        "preview",
        "profile",
        "backprop"
      })
  void everyCommandHasHelpWithExamplesThatFitTheLine(String command) {
    Cli help = Cli.run(command, "--help");
    assertThat(help.exitCode()).isZero();
    assertThat(help.out())
        .startsWith("Usage: convtrain " + command)
        .contains("\nExamples:\n  convtrain " + command + " ");
    String examples = help.out().substring(help.out().indexOf("Examples:"));
    assertThat(examples.lines().skip(1))
        .allSatisfy(line -> assertThat(line).startsWith("  convtrain " + command + " "));
  }

  @Test
  void versionNamesConvtrainTheDeviceLibraryAndJava() {
    assertThat(Cli.run("--version").out())
        .matches("convtrain \\S+\nCPU, \\d+ threads, oneDNN \\S+\nJava \\S+ \\(.+\\)\n");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      textBlock =
          """
          | Missing required subcommand | convtrain
          trian | Unmatched argument at index 0: 'trian'\\nDid you mean: convtrain train? | convtrain
          train | CONFIG is missing; give a run file, or --resume RUN | convtrain train
          train x.json --shard=1/2 --out=d | --shard needs --seeds, or a folder of several runs to --resume | convtrain train
          train x.json --seeds=1..3 --shard=1/2 | --shard needs --out: the folder that all parts share | convtrain train
          train x.json --shard=3/2 | Invalid value for option '--shard': found "3/2", expected I/N with I from 1 to N, such as 1/4 | convtrain train
          train --resume=d --out=e | --out does not go with --resume: the run has its folder | convtrain train
          train --resume=d --init=w | --init does not go with --resume: the run has begun | convtrain train
          train --resume=d --seeds=1 | --seeds does not go with --resume: the runs have theirs | convtrain train
          train x.json --seeds=1..2 --init=w | --init does not go with --seeds; train each seed by itself | convtrain train
          sweep x.json | expected CONFIG and --set PATH=V1,V2,... or --seeds; or --resume DIR alone | convtrain sweep
          sweep x.json --resume=d | --resume DIR goes alone: its group.json has the runs | convtrain sweep
          sweep x.json --seeds=1..2 --shard=1/2 | --shard needs --out: the folder that all parts share | convtrain sweep
          lr-find x.json --from=1 --to=0.1 | --from=1.0 --to=0.1; expected 0 < from < to | convtrain lr-find
          lr-find x.json --steps=5 | --steps=5; expected 10 to 1000000 | convtrain lr-find
          report | Missing required parameter: 'RUNS' | convtrain report
          train x.json --thread=2 | Unknown option: '--thread=2'\\nPossible solutions: --threads | convtrain train
          train x.json --threads=0 | --threads=0; expected at least 1 | convtrain train
          train x.json --threads=two | Invalid value for option '--threads': 'two' is not a whole number | convtrain train
          evaluate | Missing required parameter: 'MODEL' | convtrain evaluate
          evaluate run --split=all | Invalid value for option '--split': expected one of [test, train, validation] (case-sensitive) but was 'all' | convtrain evaluate
          predict run | Missing required parameter: 'FILE' | convtrain predict
          predict run a.png --top=0 | --top=0; expected at least 1 | convtrain predict
          preview x.json --rows=101 | --rows=101; expected 1 to 100 | convtrain preview
          preview x.json --epoch=0 | --epoch=0; expected 1 to 2147483547 | convtrain preview
          profile | Missing required parameter: 'CONFIG' | convtrain profile
          profile x.json --steps=0 | --steps=0; expected 1 to 100000 | convtrain profile
          profile x.json --warmup=1 | --warmup=1; expected 2 to 100000 | convtrain profile
          profile x.json --batch-size=0 | --batch-size=0; expected at least 1 | convtrain profile
          profile x.json --backend=tpu | --backend=tpu; expected auto, cuda, cpu | convtrain profile
          summary x.json --batch-size=0 | --batch-size=0; expected at least 1 | convtrain summary
          """)
  void wrongUsageIsExplainedAndExitsWithTwo(String line, String message, String command) {
    Cli result = Cli.run(line == null ? new String[0] : line.split(" "));
    assertThat(result.exitCode()).isEqualTo(2);
    assertThat(result.err())
        .isEqualTo(
            "convtrain: %s\nRun '%s --help' for usage.\n"
                .formatted(message.replace("\\n", "\n"), command));
    assertThat(result.out()).isEmpty();
  }

  @Test
  void aWrongRunFileIsExplainedInOneLine() {
    Cli result = Cli.run("train", CONFIG, "--set=train.epochs=many");
    assertThat(result.exitCode()).isEqualTo(2);
    assertThat(result.err())
        .startsWith("convtrain: --set train.epochs=many: train.epochs: ")
        .hasLineCount(1);
    assertThat(Cli.run("summary", "none.json").err())
        .isEqualTo("convtrain: none.json: there is no such file\n");
  }

  @Test
  void debugAddsTheStackTrace() {
    assertThat(Cli.run("summary", "none.json", "--debug").err()).contains("\tat convtrain.config.");
    assertThat(Cli.run("--debug", "summary", "none.json").err()).contains("\tat convtrain.config.");
  }

  @Test
  void missingDataIsExplained() {
    Cli result = Cli.run("train", CONFIG, "--set=data.dir=" + temp.resolve("none"));
    assertThat(result.exitCode()).isEqualTo(2);
    assertThat(result.err())
        .startsWith(
            "convtrain: %s/none: no training images of mnist (there is no such folder); looked for"
                .formatted(temp))
        .hasLineCount(1);
  }

  @Test
  void imagesOfAnotherSizeThanTheInputAreExplained() {
    Path data = MnistSample.folder(temp.resolve("data"), 10, 10);
    Cli result =
        Cli.run("train", CONFIG, "--set=data.dir=" + data, "--set=model.input=[1, 32, 32]");
    assertThat(result.exitCode()).isEqualTo(2);
    assertThat(result.err())
        .isEqualTo(
            "convtrain: %s/train-images-idx3-ubyte: its images are [1, 28, 28], but model.input is [1, 32, 32]; set model.input to [1, 28, 28] or give other data (data.dir)\n"
                .formatted(data));
  }

  @Test
  void labelsThatAreNoClassOfTheNetworkAreExplained() {
    Path data = MnistSample.folder(temp.resolve("data"), 10, 10);
    Cli result =
        Cli.run(
            "train",
            "configs/mlp.json",
            "--set=data.dir=" + data,
            "--set=model.layers[7].out_features=4");
    assertThat(result.exitCode()).isEqualTo(2);
    assertThat(result.err())
        .startsWith("convtrain: " + data + "/train-labels-idx1-ubyte: label 5 at index 0;");
  }

  @Test
  void missingDataIsFetchedIntoTheProject() throws IOException {
    Path source = MnistSample.folder(temp.resolve("source"), 20, 20);
    fetchScript("echo \"bringing $*\"; mkdir -p \"$3\"; cp " + source + "/* \"$3\"");
    Cli result = train("brought/here");
    assertThat(result.exitCode()).as(result.err()).isZero();
    Path dir = temp.resolve("home/brought/here");
    assertThat(result.err())
        .isEqualTo(
            "no data in %1$s: fetching mnist...\nbringing mnist --dir %1$s\n".formatted(dir));
    assertThat(result.out()).contains("data:   " + dir + ", 20 training");
  }

  @Test
  void aFetchThatFailsEndsWithOne() throws IOException {
    fetchScript("echo nothing answered >&2; exit 1");
    Cli result = train("brought/never");
    assertThat(result.exitCode()).isEqualTo(1);
    assertThat(result.err())
        .endsWith(
            "nothing answered\nconvtrain: %1$s/home/scripts/fetch-data ended with exit code 1; put the files of mnist into %1$s/home/brought/never by hand, or set data.dir\n"
                .formatted(temp));
  }

  @Test
  void aFolderWithSomeOfTheFilesIsLeftAlone() throws IOException {
    fetchScript("exit 1");
    Path data = MnistSample.folder(temp.resolve("data"), 10, 10);
    Files.delete(data.resolve("t10k-labels-idx1-ubyte"));
    Cli result = train(data.toString());
    assertThat(result.exitCode()).isEqualTo(2);
    assertThat(result.err()).startsWith("convtrain: " + data + ": no test labels of mnist; ");
  }

  private Cli train(String dir) {
    String home = System.getProperty("convtrain.home");
    System.setProperty("convtrain.home", temp.resolve("home").toString());
    try {
      return Cli.run(
          "train",
          "configs/mlp.json",
          "--set=data.dir=" + dir,
          "--set=train.epochs=1",
          "--out=" + temp.resolve("out"));
    } finally {
      if (home == null) {
        System.clearProperty("convtrain.home");
      } else {
        System.setProperty("convtrain.home", home);
      }
    }
  }

  private void fetchScript(String body) throws IOException {
    Path script = temp.resolve("home/scripts/fetch-data");
    Files.createDirectories(script.getParent());
    Files.writeString(script, "#!/bin/sh\n" + body + "\n");
    Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwxr-xr-x"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "bench --json",
        "bench --plot",
        "profile --json",
        "profile --trace",
        "lr-find --png",
        "lr-find --svg",
        "lr-find --csv",
        "backprop --csv",
        "backprop --xlsx",
        "backprop --html",
        "backprop --png",
        "backprop --svg",
        "report --png"
      })
  void aFileThatCannotBeWrittenIsToldBeforeTheWork(String commandAndOption) {
    String[] words = commandAndOption.split(" ");
    Path nowhere = temp.resolve("nowhere/file");
    Cli missing = Cli.run(words[0], "configs/mlp.json", words[1] + "=" + nowhere);
    assertThat(missing)
        .isEqualTo(
            new Cli(
                2,
                "",
                """
                convtrain: Invalid value for option '%s': "%s" would lie in %s, which is no folder; make it, or give another file
                Run 'convtrain %s --help' for usage.
                """
                    .formatted(words[1], nowhere, nowhere.getParent(), words[0])));
    Cli folder = Cli.run(words[0], "configs/mlp.json", words[1] + "=" + temp);
    assertThat(folder.exitCode()).isEqualTo(2);
    assertThat(folder.err()).contains("\"" + temp + "\" is a folder; give a file\n");
  }

  @ParameterizedTest
  @CsvSource({
    "bench --plot, x.pdf, .png or .svg",
    "bench --plot, x, .png or .svg",
    "backprop --png, a.jpg, .png",
    "report --png, a.svg, .png",
    "lr-find --svg, a.png, .svg",
    "preview --out, a.gif, .png"
  })
  void aPictureIsOfTheKindThatItsNameTells(String commandAndOption, String name, String endings) {
    String[] words = commandAndOption.split(" ");
    Path file = temp.resolve(name);
    Cli result = Cli.run(words[0], "configs/mlp.json", words[1] + "=" + file);
    assertThat(result.exitCode()).isEqualTo(2);
    assertThat(result.err())
        .contains("\"%s\" names no picture to draw; end it in %s\n".formatted(file, endings));
  }

  @Test
  void whatIsNoModelIsExplained() throws IOException {
    Path none = temp.resolve("none");
    assertThat(Cli.run("evaluate", none.toString()))
        .isEqualTo(new Cli(2, "", "convtrain: " + none + ": there is no such file\n"));
    Path empty = Files.createDirectory(temp.resolve("empty"));
    assertThat(Cli.run("predict", empty.toString(), "a.png").err())
        .isEqualTo(
            "convtrain: %s: holds no model.safetensors; a run folder gets it when its training ends\n"
                .formatted(empty));
    Path foreign = temp.resolve("foreign.safetensors");
    new convtrain.train.SafeTensors(new TreeMap<>(), new TreeMap<>()).write(foreign);
    assertThat(Cli.run("evaluate", foreign.toString()).err())
        .isEqualTo(
            "convtrain: %s: its metadata has no \"convtrain.run\", so its network is unknown; expected a model written by convtrain train\n"
                .formatted(foreign));
  }

  @Test
  void summaryCountsTheParametersAndTheMemoryOfABatch() {
    Cli summary = Cli.run("summary", CONFIG);
    assertThat(summary.exitCode()).isZero();
    assertThat(summary.out())
        .contains("\ntrainable parameters: 19,192\n")
        .contains("\nactivations and workspaces at batch size 128: ");
    double full = mebibytes(summary.out());
    assertThat(mebibytes(Cli.run("summary", CONFIG, "--batch-size=64").out()))
        .isBetween(0.45 * full, 0.55 * full);
    assertThat(Cli.run("summary", CONFIG, "--batch-size=5000000").err())
        .startsWith("convtrain: batch size 5000000; expected at most 2739137 images [1, 28, 28]");
  }

  @Test
  void summaryLeavesOutTheMemoryOfDataThatAreNotThere() {
    String[] command = {"summary", CONFIG, "--set=data.dir=" + temp};
    String without = Cli.run(command).out();
    assertThat(without).endsWith("without data: none in " + temp + "\n");
    MnistSample.folder(temp, 200, 70);
    assertThat(Cli.run(command).out())
        .doesNotContain("without data")
        .contains("\nactivations and workspaces at batch size 72: ")
        .contains("\nscoring at batch size 70: ")
        .containsPattern("\nmemory in all: [0-9.]+ MiB\n$");
  }

  @Test
  void summaryOfWhatCannotRunHereSaysWhyItsMemoryIsNotKnown() {
    Cli summary = Cli.run("summary", CONFIG, "--set=train.precision=fp16");
    assertThat(summary.exitCode()).isZero();
    assertThat(summary.out())
        .contains("\ntrainable parameters: 19,192\n")
        .contains(
            "\nmemory: not known here: train.precision=fp16: the cpu backend computes in fp32");
  }

  private static double mebibytes(String out) {
    String line = out.lines().filter(l -> l.startsWith("activations")).findFirst().orElseThrow();
    return Double.parseDouble(line.replaceAll(".*: ([0-9.]+) MiB", "$1"));
  }

  @Test
  void librariesAreNamedByTheirFiles() {
    assertThat(
            Libraries.versions(
                "target/classes:/m/dnnl-3.11-1.5.13-linux-x86_64.jar:/m/dnnl-3.11-1.5.13.jar"
                    + ":/m/jackson-core-2.22.4.jar:/m/convtrain.jar"))
        .containsOnly(
            java.util.Map.entry("dnnl", "3.11-1.5.13"),
            java.util.Map.entry("jackson-core", "2.22.4"));
  }
}
