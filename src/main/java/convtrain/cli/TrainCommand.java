package convtrain.cli;

import convtrain.backend.Backend;
import convtrain.config.RunConfig;
import convtrain.config.RunConfigLoader;
import convtrain.data.Dataset;
import convtrain.data.Split;
import convtrain.graph.ModelGraph;
import convtrain.report.ConsoleProgress;
import convtrain.report.MetricsLog;
import convtrain.report.Provenance;
import convtrain.report.RunFolder;
import convtrain.train.EpochRecord;
import convtrain.train.TrainListener;
import convtrain.train.TrainedModel;
import convtrain.train.Trainer;
import convtrain.train.TrainingDivergedException;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** Trains a run file's network and leaves a run folder. */
@Command(
    name = "train",
    description = {
      "Trains a run file's network and leaves a run folder: run.json (the complete run file),"
          + " metrics.jsonl (a line per epoch), model.safetensors, provenance.json.",
      "",
      "MNIST and Fashion-MNIST are fetched if they are not there. Ctrl-C ends the run and keeps"
          + " the model as it stands."
    },
    footer = {
      "",
      "Examples:",
      "  convtrain train configs/mnist-19k.json",
      "  convtrain train configs/mlp.json --set train.epochs=5 --set seed=2",
      "  convtrain train configs/lenet5.json --out runs/lenet --threads 4",
      "  convtrain train configs/mnist-19k.json --init runs/short/model.safetensors"
    })
final class TrainCommand implements Callable<Integer> {
  @Mixin private RunFileArguments runFile;

  @Option(
      names = "--out",
      paramLabel = "DIR",
      description =
          "The run folder; must not hold another run (default: runs/<name>-<date>-<time>).")
  private Path out;

  @Option(
      names = "--init",
      paramLabel = "FILE",
      description = "Start from the weights in this safetensors file.")
  private Path init;

  @Mixin private DeviceOptions device;

  @Option(names = "--no-progress", description = "No live progress bar, on a terminal either.")
  private boolean noProgress;

  @Spec private CommandSpec spec;

  /** Why the device was chosen, where it was left to be found. */
  private String whyDevice;

  private final long startNanos = System.nanoTime();
  private final Instant started = Instant.now();

  @Override
  public Integer call() throws IOException {
    RunConfig run = runFile.load();
    // Closed last: a signal lets the virtual machine end only when the natives are at rest.
    try (StopSignal stop = new StopSignal(err());
        Backend backend = open(run)) {
      DataFolder folder = DataFolder.of(run, err());
      Trainer.Data data = split(run, folder.load(true, backend), folder.load(false, backend));
      Listeners listeners = new Listeners();
      try (Trainer trainer = new Trainer(backend, run, data, listeners)) {
        if (init != null) {
          trainer.load(init);
        }
        RunFolder runFolder = newFolder(run, backend, data);
        printHeader(run, folder, data, backend, trainer, runFolder);
        listeners.add(new SavedModel(run, trainer, runFolder));
        listeners.add(new MetricsLog(runFolder.metrics()));
        listeners.add(ConsoleProgress.onStandardOutput(!noProgress));
        stop.await();
        boolean completed = train(trainer, listeners, stop, runFolder);
        save(run, trainer, runFolder);
        printEnd(completed, trainer, runFolder);
        return completed ? ExitCode.OK : ExitCode.SOFTWARE;
      }
    }
  }

  private Backend open(RunConfig run) {
    Backends.Chosen chosen = device.open(run.train());
    whyDevice = device.auto() ? "auto; " + chosen.why() : null;
    return chosen.backend();
  }

  private static Trainer.Data split(RunConfig run, Dataset train, Dataset test) {
    Integer limit = run.data().limit();
    Dataset limited = limit == null ? train : train.limit(limit);
    double fraction = run.data().validationSplit();
    if (fraction == 0) {
      return new Trainer.Data(limited, null, test);
    }
    Split split = Split.stratified(limited, fraction, run.seed());
    return new Trainer.Data(split.train(), split.validation(), test);
  }

  private RunFolder newFolder(RunConfig run, Backend backend, Trainer.Data data)
      throws IOException {
    RunFolder folder =
        out != null
            ? RunFolder.at(out)
            : RunFolder.create(
                Path.of("runs"),
                run.name(),
                LocalDateTime.ofInstant(started, ZoneId.systemDefault()));
    folder.writeRun(RunConfigLoader.toJson(run));
    List<String> command = new ArrayList<>(List.of("convtrain"));
    command.addAll(spec.root().commandLine().getParseResult().originalArgs());
    List<Path> files = new ArrayList<>(data.train().files());
    files.addAll(data.test().files());
    if (init != null) {
      files.add(init);
    }
    folder.write(
        Provenance.of(
            new Provenance.Run(
                run.seed(),
                started,
                command,
                backend.description(),
                device.threads(),
                Libraries.versions(System.getProperty("java.class.path")),
                files)));
    return folder;
  }

  private void printHeader(
      RunConfig run,
      DataFolder folder,
      Trainer.Data data,
      Backend backend,
      Trainer trainer,
      RunFolder runFolder) {
    print("%s: %,d parameters", run.name(), ModelGraph.of(run.model()).trainableParameters());
    print(
        "data:   %s, %,d training%s and %,d test images %s",
        folder.dir(),
        data.train().size(),
        data.validation() == null
            ? ""
            : String.format(Locale.ROOT, ", %,d validation", data.validation().size()),
        data.test().size(),
        data.train().shape());
    print("device: %s%s", backend.description(), whyDevice == null ? "" : " (" + whyDevice + ")");
    trainer
        .referenceOps()
        .forEach(
            op ->
                print(
                    "note:   %s has no fast implementation on this device; other channel counts or groups may have",
                    op));
    print(
        "run:    %s of %,d steps, batch size %,d, seed %d, to %s%n",
        epochs(run.train().epochs()),
        trainer.stepsPerEpoch(),
        run.train().batchSize(),
        run.seed(),
        runFolder.dir());
  }

  private static boolean train(
      Trainer trainer, Listeners listeners, StopSignal stop, RunFolder folder) {
    try {
      return trainer.train(stop);
    } catch (TrainingDivergedException e) {
      throw new FailedException(
          "%s; the weights as they are now are not saved; %s keeps the run file, the metrics%s"
              .formatted(
                  e.getMessage(),
                  folder.dir(),
                  trainer.lastEpoch() == null
                      ? ""
                      : " and the model of epoch " + trainer.lastEpoch().epoch()),
          e);
    } finally {
      listeners.finished();
    }
  }

  private static void save(RunConfig run, Trainer trainer, RunFolder folder) throws IOException {
    Map<String, String> metadata =
        Map.of(
            TrainedModel.RUN, RunConfigLoader.toJson(run),
            TrainedModel.TRAINED_TO, trainer.position());
    trainer.weights(metadata).write(folder.model());
  }

  /** Writes the model after each epoch, so that no later failure can take it away. */
  private record SavedModel(RunConfig run, Trainer trainer, RunFolder folder)
      implements TrainListener {
    @Override
    public void epoch(EpochRecord epoch) {
      try {
        save(run, trainer, folder);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  private void printEnd(boolean completed, Trainer trainer, RunFolder folder) {
    double seconds = (System.nanoTime() - startNanos) / 1e9;
    if (completed) {
      print(
          "%n%s: test accuracy %.2f%% after %s, %.1f s in all",
          folder.dir(),
          100 * trainer.lastEpoch().testAccuracy(),
          epochs(trainer.lastEpoch().epoch()),
          seconds);
    } else {
      print(
          "%nstopped in %s after %.1f s: %s keeps the model as it stood and the metrics of %s",
          trainer.position(),
          seconds,
          folder.dir(),
          epochs(trainer.lastEpoch() == null ? 0 : trainer.lastEpoch().epoch()));
    }
  }

  private static String epochs(int count) {
    return String.format(Locale.ROOT, count == 1 ? "%d epoch" : "%,d epochs", count);
  }

  private void print(String format, Object... values) {
    spec.commandLine().getOut().println(String.format(Locale.ROOT, format, values));
  }

  private PrintWriter err() {
    return spec.commandLine().getErr();
  }
}
