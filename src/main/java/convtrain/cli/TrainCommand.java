package convtrain.cli;

import convtrain.config.ConfigException;
import convtrain.config.Grid;
import convtrain.config.RunConfig;
import convtrain.config.RunConfigLoader;
import convtrain.report.GroupFolder;
import convtrain.report.RunFolder;
import convtrain.report.RunResult;
import convtrain.train.TrainedModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.util.List;
import java.util.SortedMap;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Trains a run file's network and leaves a run folder. */
@Command(
    name = "train",
    description = {
      "Trains a run file's network and leaves a run folder: run.json (the complete run file),"
          + " metrics.jsonl (a line per epoch), model.safetensors, result.json, provenance.json,"
          + " checkpoints.",
      "",
      "MNIST and Fashion-MNIST are fetched if they are not there. Ctrl-C ends the run and keeps"
          + " the model as it stands, or with train.keep=best that of the best epoch so far;"
          + " --resume goes on from there, or from the last checkpoint after a crash, to the bit."
    },
    footer = {
      "",
      "Examples:",
      "  convtrain train configs/mnist-19k.json",
      "  convtrain train configs/mlp.json --set train.epochs=5 --set seed=2",
      "  convtrain train configs/lenet5.json --out runs/lenet --threads 4",
      "  convtrain train configs/mnist-19k.json --init runs/short/model.safetensors",
      "  convtrain train --resume runs/lenet",
      "  convtrain train configs/mnist-19k.json --seeds 1..10",
      "  convtrain train configs/mlp.json --seeds 1..10 --out runs/ten --shard 2/5"
    })
final class TrainCommand implements Callable<Integer> {
  @Parameters(
      arity = "0..1",
      paramLabel = "CONFIG",
      description = "The JSON run file; with --resume only to check that nothing in it changed.")
  private Path config;

  @Mixin private Overrides overrides;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      description =
          "The run folder; must not hold another run (default: runs/<name>-<date>-<time>).")
  private Path out;

  @Option(
      names = "--init",
      paramLabel = "MODEL",
      description = "Start from the weights of this run folder, or in this safetensors file.")
  private Path init;

  @Option(
      names = "--resume",
      paramLabel = "RUN",
      description = "Go on with the run, or the runs, in this folder.")
  private Path resume;

  @Option(
      names = "--seeds",
      paramLabel = "SEEDS",
      description =
          "Train once for each seed, 1..10 or 1,2,5, each in a folder of its own below the run"
              + " folder, and show mean and spread.")
  private String seeds;

  @Option(
      names = "--shard",
      paramLabel = "I/N",
      converter = Shard.Converter.class,
      description = "With --seeds: train only part I of N, to spread the runs; needs --out.")
  private Shard shard;

  @Mixin private TrainOptions options;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws IOException {
    checkUsage();
    // Closed last: a signal lets the virtual machine end only when the natives are at rest.
    try (TrainContext context = options.context()) {
      if (resume != null) {
        return GroupFolder.isAt(resume) ? resumeGroup(context) : resumeRun(context);
      }
      RunConfig run = RunConfigLoader.load(config, overrides.list());
      if (seeds == null) {
        Path weights = init == null ? null : TrainedModel.fileOf(init);
        return exitCode(
            TrainingRun.fresh(context, run, weights, started -> newFolder(run, started)));
      }
      Grid grid = new Grid(RunConfigLoader.toJson(run), List.of(Grid.Axis.seeds(seeds)));
      RunGroup group = RunGroup.create(context, run, grid, out, shard != null);
      return exitCode(group.train(shard == null ? Shard.WHOLE : shard));
    }
  }

  private void checkUsage() {
    reject(config == null && resume == null, "CONFIG is missing; give a run file, or --resume RUN");
    reject(
        resume != null && out != null, "--out does not go with --resume: the run has its folder");
    reject(resume != null && init != null, "--init does not go with --resume: the run has begun");
    reject(
        resume != null && seeds != null, "--seeds does not go with --resume: the runs have theirs");
    reject(
        seeds != null && init != null,
        "--init does not go with --seeds; train each seed by itself");
    reject(
        shard != null && seeds == null && (resume == null || !GroupFolder.isAt(resume)),
        "--shard needs --seeds, or a folder of several runs to --resume");
    reject(
        shard != null && resume == null && out == null,
        "--shard needs --out: the folder that all parts share");
  }

  private void reject(boolean wrong, String message) {
    if (wrong) {
      throw new ParameterException(spec.commandLine(), message);
    }
  }

  private RunFolder newFolder(RunConfig run, Instant started) {
    return out != null
        ? RunFolder.at(out)
        : RunFolder.create(
            Path.of("runs"), run.name(), LocalDateTime.ofInstant(started, ZoneId.systemDefault()));
  }

  private int resumeRun(TrainContext context) throws IOException {
    RunFolder folder = RunFolder.of(resume);
    String source = folder.runJson().toString();
    String json = Files.readString(folder.runJson());
    RunConfig run = RunConfigLoader.parse(source, json);
    checkUnchanged(run, given(source, json));
    RunResult result = folder.result();
    if (result != null && result.trained()) {
      context.print("%s is over: %s", resume, TrainingRun.inWords(result));
      return ExitCode.OK;
    }
    return exitCode(TrainingRun.resumed(context, run, folder));
  }

  private int resumeGroup(TrainContext context) throws IOException {
    RunGroup group = RunGroup.existing(context, new GroupFolder(resume));
    String source = resume + "/group.json";
    checkUnchanged(RunConfigLoader.parse(source, group.run()), given(source, group.run()));
    return exitCode(group.train(shard == null ? Shard.WHOLE : shard));
  }

  /** The run file as the command line has it now. */
  private RunConfig given(String source, String json) {
    return config == null
        ? RunConfigLoader.parse(source, json, overrides.list())
        : RunConfigLoader.load(config, overrides.list());
  }

  /** A resumed run with other values would be neither the old run nor the new one. */
  private void checkUnchanged(RunConfig before, RunConfig now) {
    SortedMap<String, String> old = RunConfigLoader.values(before);
    SortedMap<String, String> given = RunConfigLoader.values(now);
    TreeSet<String> paths = new TreeSet<>(old.keySet());
    paths.addAll(given.keySet());
    paths.removeIf(path -> old.getOrDefault(path, "").equals(given.getOrDefault(path, "")));
    if (!paths.isEmpty()) {
      StringBuilder message =
          new StringBuilder(
              "--resume %s: the run file is not the one it began with; leave it out or give the same, or train anew into another folder"
                  .formatted(resume));
      for (String path : paths) {
        message.append(
            "%n  %s: began with %s, found %s"
                .formatted(
                    path, old.getOrDefault(path, "nothing"), given.getOrDefault(path, "nothing")));
      }
      throw new ConfigException(message.toString());
    }
  }

  private static int exitCode(RunResult result) {
    return result == null ? ExitCode.SOFTWARE : ExitCode.OK;
  }

  private static int exitCode(RunGroup.Outcome outcome) {
    return outcome == RunGroup.Outcome.COMPLETED ? ExitCode.OK : ExitCode.SOFTWARE;
  }
}
