package convtrain.cli;

import convtrain.backend.Backend;
import convtrain.bench.EpochBench;
import convtrain.bench.StartUp;
import convtrain.bench.TimeToAccuracy;
import convtrain.config.RunConfig;
import convtrain.config.RunConfigLoader;
import convtrain.files.AtomicFile;
import convtrain.report.Json;
import convtrain.train.Trainer;
import convtrain.train.TrainingDivergedException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** One training of a benchmark, in the process that {@link BenchProcess} starts for it. */
@Command(
    name = BenchProcessCommand.NAME,
    hidden = true,
    description = "What bench starts for each training.")
final class BenchProcessCommand implements Callable<Integer> {
  static final String NAME = "bench-process";

  @Parameters(paramLabel = "RUN", description = "A complete run file.")
  private Path config;

  @Option(names = "--result", required = true, description = "Where to write what came out.")
  private Path result;

  @Option(names = "--started", required = true, description = "When, in microseconds since 1970.")
  private long startedMicros;

  @Option(names = "--until", description = "Test accuracy in percent.")
  private Double until;

  @Option(names = "--epochs", description = "That count.")
  private int epochs;

  @Option(names = "--warmup", description = "That do not.")
  private int warmup;

  @Mixin private DeviceOptions device;
  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws IOException {
    StartUp startUp = StartUp.ofProcess(startedMicros);
    Main main = (Main) spec.root().userObject();
    startUp.done("java", main.startNanos());
    RunConfig run = RunConfigLoader.load(config, List.of());
    startUp.done("run file");
    device.load();
    startUp.done("libraries");
    try (TrainContext context = new TrainContext(device, spec, false)) {
      context.backend(run);
      startUp.done("device");
      Trainer.Data data = context.data(run, DataFolder.of(run, context.err()));
      startUp.done("data");
      context.stop().await();
      Object measured = measure(context, run, data, startUp);
      if (measured == null) {
        return ExitCode.SOFTWARE;
      }
      AtomicFile.write(result, Json.pretty(measured));
      return ExitCode.OK;
    }
  }

  private Object measure(TrainContext context, RunConfig run, Trainer.Data data, StartUp startUp) {
    Backend backend = context.backend(run);
    int threads = device.threads();
    try {
      return until == null
          ? EpochBench.measure(backend, run, data, startUp, threads, warmup, epochs, context.stop())
          : TimeToAccuracy.measure(backend, run, data, startUp, threads, until, context.stop());
    } catch (TrainingDivergedException e) {
      throw new FailedException(e.getMessage(), e);
    }
  }
}
