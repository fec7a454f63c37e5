package convtrain.cli;

import convtrain.backend.Backend;
import convtrain.backend.Feed;
import convtrain.config.RunConfig;
import convtrain.graph.DataPlacement;
import convtrain.graph.ModelGraph;
import convtrain.graph.ModelSummary;
import convtrain.plan.Plan;
import convtrain.plan.PlanCompiler;
import convtrain.plan.RunState;
import convtrain.report.SummaryTable;
import convtrain.report.SummaryTable.MemoryLine;
import convtrain.train.Trainer;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Shows a run file's network layer by layer, and the memory that training it takes. */
@Command(
    name = "summary",
    description =
        "Shows a run file's network layer by layer (output shape, parameters, multiply-adds,"
            + " receptive field) and the memory that training takes.",
    footer = {
      "",
      "Examples:",
      "  convtrain summary configs/mnist-19k.json",
      "  convtrain summary configs/resnet-tiny.json --batch-size 512",
      "  convtrain summary configs/mlp.json --set model.layers[1].out_features=64"
    })
final class SummaryCommand implements Callable<Integer> {
  @Mixin private RunFileArguments runFile;

  private int batchSize;

  @Spec private CommandSpec spec;

  @Option(
      names = "--batch-size",
      paramLabel = "N",
      description = "Batch size to tell the memory for (default: the run file's).")
  void setBatchSize(int batchSize) {
    if (batchSize < 1) {
      throw new ParameterException(
          spec.commandLine(), "--batch-size=" + batchSize + "; expected at least 1");
    }
    this.batchSize = batchSize;
  }

  @Override
  public Integer call() {
    RunConfig run = runFile.load();
    ModelGraph graph = ModelGraph.of(run.model());
    PrintWriter out = spec.commandLine().getOut();
    out.print(SummaryTable.render(ModelSummary.of(graph), run.name(), memory(run, graph)));
    out.flush();
    return ExitCode.OK;
  }

  /** Compiles a training step, since only its plan knows. */
  private MemoryLine[] memory(RunConfig run, ModelGraph graph) {
    int samples = batchSize > 0 ? batchSize : run.train().batchSize();
    int most = Integer.MAX_VALUE / Math.max(Integer.BYTES, graph.input().elements());
    if (samples > most) {
      throw new ParameterException(
          spec.commandLine(),
          "batch size %d; expected at most %d images %s, which fill 2 GiB"
              .formatted(samples, most, graph.input()));
    }
    try (Backend backend = Backends.cpu();
        Feed feed = backend.feed(graph.input().elements(), samples, DataPlacement.STREAM);
        RunState state = new RunState(backend, graph, samples, run.train().update(), 1)) {
      PlanCompiler.Options options =
          new PlanCompiler.Options(
              samples,
              run.train().loss(),
              true,
              Trainer.normalization(run, graph),
              feed,
              run.seed());
      try (Plan plan = PlanCompiler.compile(backend, graph, state, options)) {
        return new MemoryLine[] {
          new MemoryLine("parameters, gradients and optimizer state", state.bytes()),
          new MemoryLine("activations and workspaces at batch size " + samples, plan.arenaBytes())
        };
      }
    }
  }
}
