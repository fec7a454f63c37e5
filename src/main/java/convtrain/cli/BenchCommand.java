package convtrain.cli;

import convtrain.bench.BenchGrid;
import convtrain.bench.BenchGrid.Axis;
import convtrain.bench.BenchGrid.Combination;
import convtrain.bench.BenchGrid.Kind;
import convtrain.bench.BenchPlot;
import convtrain.bench.BenchReport;
import convtrain.bench.BenchTable;
import convtrain.bench.EpochResult;
import convtrain.bench.TimeToAccuracy;
import convtrain.config.Grid;
import convtrain.config.RunConfig;
import convtrain.config.RunConfigLoader;
import convtrain.files.AtomicFile;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Measures trainings, each in a process of its own. */
@Command(
    name = "bench",
    description = {
      "Times the epochs of a run file's training beside what the device can do at most, or with"
          + " --until the time to a test accuracy. Lists are taken in every combination; each"
          + " training has a process of its own, so that start, memory and the whole time are its"
          + " own.",
      "",
      "Epoch times are of the training steps alone; every epoch is scored on the test set all the"
          + " same, and that time is in the process's. Nothing is kept of the training."
    },
    footer = {
      "",
      "Examples:",
      "  convtrain bench configs/mnist-19k.json",
      "  convtrain bench configs/mnist-19k.json --batch-size 128,512 --precision fp32,tf32",
      "  convtrain bench configs/mnist-19k.json --width 1,2,4,8,16 --plot width.png",
      "  convtrain bench configs/mnist-19k.json --limit 10000,30000,60000 --json sizes.json",
      "  convtrain bench configs/mnist-speed-99.json --until 99 --seeds 1..5"
    })
final class BenchCommand implements Callable<Integer> {
  private static final String DEFAULT_SEEDS = "1..5";

  private static final String RULES =
      """
      The test set decides when to stop, as the benchmark has it. Training alone is the epochs'
      steps; the whole process is from its start to the moment the accuracy was known: start of
      Java and of the device, data, steps, and the scoring after each epoch.""";

  @Mixin private RunFileArguments runFile;
  @Mixin private BenchAxes lists;

  @Option(
      names = "--epochs",
      paramLabel = "N",
      description = "Epochs that count (default: 5, after those that do not).")
  private Integer epochs;

  @Option(
      names = "--warmup",
      paramLabel = "N",
      description = "Epochs before them that do not count (default: 1).")
  private Integer warmup;

  @Option(
      names = "--until",
      paramLabel = "PERCENT",
      description =
          "Train until the test accuracy after an epoch is reached, or the run file's epochs are"
              + " over, for each seed.")
  private Double until;

  @Option(
      names = "--seeds",
      paramLabel = "SEEDS",
      description = "With --until: 1..10 or 1,2,5 (default: " + DEFAULT_SEEDS + ").")
  private String seeds;

  @Option(
      names = "--json",
      paramLabel = "FILE",
      converter = OutputFile.class,
      description = "Write everything that was found.")
  private Path json;

  @Option(
      names = "--plot",
      paramLabel = "FILE",
      converter = OutputFile.Picture.class,
      description = "Draw epoch time against what varies most, as PNG or SVG.")
  private Path plot;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws IOException {
    checkUsage();
    RunConfig run = runFile.load();
    List<Axis> axes = new ArrayList<>(lists.axes());
    if (until != null) {
      axes.add(
          new Axis(Kind.SEED, Grid.Axis.seeds(seeds == null ? DEFAULT_SEEDS : seeds).values()));
    }
    Axis over = plot == null ? null : BenchPlot.over(axes);
    List<Combination> all = new BenchGrid(RunConfigLoader.toJson(run), axes).combinations();
    BenchReport.Environment environment =
        BenchReport.Environment.current(
            TrainContext.command(spec), Libraries.versions(System.getProperty("java.class.path")));
    print("%s", header(run, all.size(), environment));
    try (StopSignal stop = new StopSignal(spec.commandLine().getErr());
        BenchProcess process = new BenchProcess(stop, spec.commandLine().getErr())) {
      stop.await();
      return until == null
          ? timeEpochs(run, all, over, process, environment)
          : race(run, all, process, environment);
    }
  }

  private void checkUsage() {
    reject(epochs != null && epochs < 1, "--epochs=" + epochs + "; expected at least 1");
    reject(warmup != null && warmup < 0, "--warmup=" + warmup + "; expected at least 0");
    reject(
        until != null && !(until >= 1 && until <= 100),
        "--until=" + until + "; expected a test accuracy in percent, from 1 to 100, such as 99.4");
    reject(seeds != null && until == null, "--seeds goes with --until; a time needs no seeds");
    reject(
        until != null && (epochs != null || warmup != null),
        "--epochs and --warmup do not go with --until: the run file's epochs are the most");
    reject(until != null && plot != null, "--plot draws epoch times; leave --until out");
  }

  private void reject(boolean wrong, String message) {
    if (wrong) {
      throw new ParameterException(spec.commandLine(), message);
    }
  }

  private String header(RunConfig run, int trainings, BenchReport.Environment environment) {
    String what =
        until == null
            ? "%s after %d".formatted(TrainingRun.epochs(counted()), notCounted())
            : "until %s %% of the test set".formatted(until);
    String commit =
        environment.git() == null
            ? ""
            : ", commit %.7s%s"
                .formatted(
                    environment.git().commit(), environment.git().dirty() ? " and changes" : "");
    String warning = environment.warning();
    return String.format(
        Locale.ROOT,
        "%s: %s, %,d %s%n%s, %d cores, %.1f GiB, %s; Java %s; convtrain %s%s; load %.2f%s%n",
        run.name(),
        what,
        trainings,
        trainings == 1 ? "training" : "trainings",
        environment.machine().cpu(),
        environment.machine().cores(),
        environment.machine().memoryBytes() / (double) (1 << 30),
        environment.machine().os(),
        environment.jvm().version(),
        environment.convtrainVersion(),
        commit,
        environment.loadAverage(),
        warning == null ? "" : "\nwarning: " + warning);
  }

  private int counted() {
    return epochs == null ? 5 : epochs;
  }

  private int notCounted() {
    return warmup == null ? 1 : warmup;
  }

  private int timeEpochs(
      RunConfig run,
      List<Combination> all,
      Axis over,
      BenchProcess process,
      BenchReport.Environment environment)
      throws IOException {
    List<BenchReport.Epochs> results = new ArrayList<>();
    for (int i = 0; i < all.size() && !process.isStopped(); i++) {
      Combination one = all.get(i);
      BenchProcess.Outcome<EpochResult> outcome =
          process.run(one, EpochResult.class, "--epochs=" + counted(), "--warmup=" + notCounted());
      if (outcome.result() != null) {
        results.add(BenchReport.Epochs.of(one.values(), outcome.result()));
        say(i, all, "%.3f s an epoch", outcome.result().epochSeconds().median());
      } else if (!process.isStopped()) {
        results.add(BenchReport.Epochs.failed(one.values(), outcome.failure()));
        say(i, all, "failed");
      }
    }
    print("%n%s", BenchTable.ofEpochs(results).stripTrailing());
    write(new BenchReport(run.name(), environment, results, null));
    if (plot != null
        && results.stream().anyMatch(e -> e.result() != null)
        && !process.isStopped()) {
      BenchPlot.write(BenchPlot.chart(run.name(), over, results), plot);
    }
    return process.exitCode();
  }

  /** The runs of one combination of all but the seed. */
  private record Runs(List<TimeToAccuracy.Result> done, List<String> failures) {
    Runs() {
      this(new ArrayList<>(), new ArrayList<>());
    }
  }

  private int race(
      RunConfig run,
      List<Combination> all,
      BenchProcess process,
      BenchReport.Environment environment)
      throws IOException {
    Map<Map<Kind, String>, Runs> runs = new LinkedHashMap<>();
    for (int i = 0; i < all.size() && !process.isStopped(); i++) {
      Combination one = all.get(i);
      Map<Kind, String> others = new LinkedHashMap<>(one.values());
      String seed = others.remove(Kind.SEED);
      Runs ofOthers = runs.computeIfAbsent(others, values -> new Runs());
      var outcome = process.run(one, TimeToAccuracy.Result.class, "--until=" + until);
      if (outcome.result() != null) {
        ofOthers.done.add(outcome.result());
        say(i, all, "%s", inWords(outcome.result()));
      } else if (!process.isStopped()) {
        ofOthers.failures.add("seed " + seed + ": " + outcome.failure());
        say(i, all, "failed");
      }
    }
    List<BenchReport.Race> races = new ArrayList<>();
    runs.forEach((values, of) -> races.add(BenchReport.Race.of(values, of.done, of.failures)));
    print("%n%s%n%s", BenchTable.ofRaces(races), RULES);
    write(new BenchReport(run.name(), environment, null, races));
    return process.exitCode();
  }

  private static String inWords(TimeToAccuracy.Result result) {
    return String.format(
        Locale.ROOT,
        "%s%.2f%% after %s, %.2f s of training, %.2f s in all",
        result.reached() ? "" : "not reached: ",
        100 * (result.reached() ? result.testAccuracy() : result.bestTestAccuracy()),
        TrainingRun.epochs(result.epochs()) + (result.reached() ? "" : " at best"),
        result.trainingSeconds(),
        result.processSeconds());
  }

  private void say(int i, List<Combination> all, String format, Object... values) {
    String words = all.get(i).inWords();
    print(
        "[%d/%d] %s%s",
        i + 1,
        all.size(),
        words.isEmpty() ? "" : words + ": ",
        String.format(Locale.ROOT, format, values));
  }

  private void write(BenchReport report) throws IOException {
    if (json != null) {
      AtomicFile.write(json, report.toJson());
    }
  }

  private void print(String format, Object... values) {
    spec.commandLine().getOut().println(String.format(Locale.ROOT, format, values));
    spec.commandLine().getOut().flush();
  }
}
