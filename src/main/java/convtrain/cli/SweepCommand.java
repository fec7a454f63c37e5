package convtrain.cli;

import convtrain.config.Grid;
import convtrain.config.RunConfig;
import convtrain.config.RunConfigLoader;
import convtrain.report.GroupFolder;
import convtrain.report.RunFolderException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Trains every combination of some values. */
@Command(
    name = "sweep",
    description = {
      "Trains every combination of the given values, each run in a folder of its own, and shows a"
          + " table sorted by result: by validation accuracy where the run file has"
          + " data.validation_split, else by test accuracy.",
      "",
      "Started again with --resume it passes over what is done and goes on with what was cut off."
    },
    footer = {
      "",
      "Examples:",
      "  convtrain sweep configs/mlp.json --set train.optimizer.lr=0.01,0.1,1",
      "  convtrain sweep configs/mlp.json --set train.batch_size=64,128 --seeds 1..3",
      "  convtrain sweep --resume runs/mlp-20260101-120000",
      "  convtrain sweep configs/mlp.json --set seed=1,2,3,4 --out runs/4 --shard 2/4"
    })
final class SweepCommand implements Callable<Integer> {
  @Parameters(arity = "0..1", paramLabel = "CONFIG", description = "The JSON run file.")
  private Path config;

  @Option(
      names = "--set",
      paramLabel = "PATH=V1,V2,...",
      description =
          "Values that a place of the run file takes in turn; may be given again, for every"
              + " combination. Commas inside brackets and quotes belong to a value.")
  private List<String> sets = new ArrayList<>();

  @Option(
      names = "--seeds",
      paramLabel = "SEEDS",
      description = "Train each combination once for each seed, 1..10 or 1,2,5.")
  private String seeds;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      description = "The folder of the runs (default: runs/<name>-<date>-<time>).")
  private Path out;

  @Option(
      names = "--resume",
      paramLabel = "DIR",
      description = "Go on with the runs in this folder.")
  private Path resume;

  @Option(
      names = "--shard",
      paramLabel = "I/N",
      converter = Shard.Converter.class,
      description = "Train only part I of N, to spread the runs; needs --out or --resume.")
  private Shard shard;

  @Mixin private TrainOptions options;

  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws IOException {
    checkUsage();
    try (TrainContext context = options.context()) {
      RunGroup group = resume == null ? create(context) : existing(context);
      RunGroup.Outcome outcome = group.train(shard == null ? Shard.WHOLE : shard);
      // That some values diverge is a result.
      return outcome.compareTo(RunGroup.Outcome.SOME_DIVERGED) <= 0
          ? ExitCode.OK
          : ExitCode.SOFTWARE;
    }
  }

  private void checkUsage() {
    boolean fresh = config != null && !(sets.isEmpty() && seeds == null);
    if (resume == null && !fresh) {
      throw new ParameterException(
          spec.commandLine(),
          "expected CONFIG and --set PATH=V1,V2,... or --seeds; or --resume DIR alone");
    }
    if (resume != null && (config != null || !sets.isEmpty() || seeds != null || out != null)) {
      throw new ParameterException(
          spec.commandLine(), "--resume DIR goes alone: its group.json has the runs");
    }
    if (shard != null && resume == null && out == null) {
      throw new ParameterException(
          spec.commandLine(), "--shard needs --out: the folder that all parts share");
    }
  }

  private RunGroup create(TrainContext context) throws IOException {
    List<Grid.Axis> axes = new ArrayList<>();
    List<String> fixed = new ArrayList<>();
    for (String set : sets) {
      Grid.Axis axis = Grid.Axis.parse(set);
      if (axis.values().size() > 1) {
        axes.add(axis);
      } else {
        fixed.add(set);
      }
    }
    if (seeds != null) {
      axes.add(Grid.Axis.seeds(seeds));
    }
    RunConfig run = RunConfigLoader.load(config, fixed);
    Grid grid = new Grid(RunConfigLoader.toJson(run), axes);
    return RunGroup.create(context, run, grid, out, shard != null);
  }

  private RunGroup existing(TrainContext context) throws IOException {
    if (!GroupFolder.isAt(resume)) {
      throw new RunFolderException(resume + " holds no group.json; expected the folder of a sweep");
    }
    return RunGroup.existing(context, new GroupFolder(resume));
  }
}
