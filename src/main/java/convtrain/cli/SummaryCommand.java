package convtrain.cli;

import convtrain.backend.Backend;
import convtrain.backend.BackendException;
import convtrain.config.RunConfig;
import convtrain.graph.ModelGraph;
import convtrain.graph.ModelSummary;
import convtrain.graph.Shape;
import convtrain.report.SummaryTable;
import convtrain.train.MemoryNeeds;
import convtrain.train.Trainer;
import java.io.PrintWriter;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Shows a run file's network layer by layer, and the memory that its run takes. */
@Command(
    name = "summary",
    description = {
      "Shows a run file's network layer by layer (output shape, parameters, multiply-adds,"
          + " receptive field) and the memory that its run takes on the device.",
      "",
      "State and plans are made for it, and nothing is trained. On a GPU, what the driver takes for"
          + " itself and for kernels comes on top. Data that are not there are not fetched, and"
          + " their part is left out."
    },
    footer = {
      "",
      "Examples:",
      "  convtrain summary configs/mnist-19k.json",
      "  convtrain summary configs/resnet-tiny.json --batch-size 512",
      "  convtrain summary configs/mnist-19k.json --backend cpu",
      "  convtrain summary configs/mlp.json --set model.layers[1].out_features=64"
    })
final class SummaryCommand implements Callable<Integer> {
  @Mixin private RunFileArguments runFile;
  @Mixin private DeviceOptions device;
  @Mixin private BatchSizeOption batchSize;
  @Spec private CommandSpec spec;

  @Override
  public Integer call() {
    RunConfig run = runFile.load(batchSize.overrides());
    ModelGraph graph = ModelGraph.of(run.model());
    checkBatch(run.train().batchSize(), graph.input());
    PrintWriter out = spec.commandLine().getOut();
    out.println(SummaryTable.render(ModelSummary.of(graph), run.name()));
    out.flush();
    out.print(memory(run));
    out.flush();
    return ExitCode.OK;
  }

  private void checkBatch(int samples, Shape input) {
    int most = Integer.MAX_VALUE / Math.max(Integer.BYTES, input.elements());
    if (samples > most) {
      throw new ParameterException(
          spec.commandLine(),
          "batch size %d; expected at most %d images %s, which fill 2 GiB"
              .formatted(samples, most, input));
    }
  }

  private String memory(RunConfig run) {
    try (Backend backend = device.open(run.train()).backend()) {
      DataFolder folder = DataFolder.ifThere(run);
      Trainer.Data data = folder == null ? null : data(run, folder, backend);
      String missing = "without data: none in " + run.data().resolveDir() + "\n";
      return SummaryTable.memory(MemoryNeeds.of(backend, run, data), backend.description())
          + (folder == null ? missing : "");
    } catch (BackendException e) {
      return "memory: not known here: " + e.getMessage() + "\n";
    }
  }

  private static Trainer.Data data(RunConfig run, DataFolder folder, Backend backend) {
    return TrainContext.split(run, folder.load(true, backend), folder.load(false, backend));
  }
}
