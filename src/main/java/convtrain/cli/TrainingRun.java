package convtrain.cli;

import convtrain.backend.Backend;
import convtrain.config.Keep;
import convtrain.config.RunConfig;
import convtrain.config.RunConfigLoader;
import convtrain.graph.ModelGraph;
import convtrain.graph.Precision;
import convtrain.report.ConsoleProgress;
import convtrain.report.MetricsLog;
import convtrain.report.Provenance;
import convtrain.report.RunBusyException;
import convtrain.report.RunFolder;
import convtrain.report.RunFolderException;
import convtrain.report.RunLock;
import convtrain.report.RunResult;
import convtrain.train.Checkpoint;
import convtrain.train.Checkpoints;
import convtrain.train.EpochRecord;
import convtrain.train.TrainListener;
import convtrain.train.TrainedModel;
import convtrain.train.Trainer;
import convtrain.train.TrainingDivergedException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;

/** One run, from its run file to what it leaves in its folder; fresh, or taken up again. */
final class TrainingRun {
  private final TrainContext context;
  private final RunConfig run;
  private final Path init;
  private final Instant started = Instant.now();
  private final long startNanos = System.nanoTime();
  private Trainer.Data data;
  private Trainer trainer;
  private RunFolder folder;
  private RunLock lock;

  private TrainingRun(TrainContext context, RunConfig run, Path init) {
    this.context = context;
    this.run = run;
    this.init = init;
  }

  /**
   * Trains from the beginning.
   *
   * @param init weights to start from; null to draw them
   * @param newFolder makes the folder, given when the run started; called when all else is ready
   * @return what came out; null if a signal ended it
   * @throws FailedException if training diverged; its result is written
   */
  static RunResult fresh(
      TrainContext context, RunConfig run, Path init, Function<Instant, RunFolder> newFolder)
      throws IOException {
    TrainingRun training = new TrainingRun(context, run, init);
    return training.execute(() -> training.begin(newFolder));
  }

  /**
   * Goes on with a run where its last checkpoint stands, or from the beginning if it has none.
   *
   * @return what came out; null if a signal ended it
   * @throws FailedException if training diverged; its result is written
   */
  static RunResult resumed(TrainContext context, RunConfig run, RunFolder folder)
      throws IOException {
    TrainingRun training = new TrainingRun(context, run, null);
    return training.execute(() -> training.takeUp(folder));
  }

  /** Makes the folder ready and the trainer stand where it is to begin. */
  private interface Start {
    void start() throws IOException;
  }

  private RunResult execute(Start start) throws IOException {
    Backend backend = context.backend(run);
    DataFolder source = DataFolder.of(run, context.err());
    data = context.data(run, source);
    Listeners listeners = new Listeners();
    try (Trainer made = new Trainer(backend, run, data, listeners)) {
      trainer = made;
      if (init != null) {
        trainer.load(init);
      }
      try {
        start.start();
        printHeader(source);
        listeners.add(new MetricsLog(folder.metrics(), trainer.history()));
        listeners.add(new Saver());
        listeners.add(ConsoleProgress.onStandardOutput(context.progress()));
        context.stop().await();
        return train(listeners);
      } catch (IOException | UncheckedIOException e) {
        throw withRemedy(e);
      } finally {
        if (lock != null) {
          lock.close();
        }
      }
    }
  }

  /** A full disk is no reason to lose the run: what is written so far stays. */
  private IOException withRemedy(Exception e) {
    IOException failed =
        e instanceof UncheckedIOException wrapped ? wrapped.getCause() : (IOException) e;
    boolean full = failed.getMessage() != null && failed.getMessage().contains("No space left");
    if (!full || folder == null || !folder.hasBegun()) {
      return failed;
    }
    return new IOException(
        "%s; free space, then convtrain train --resume %s"
            .formatted(failed.getMessage(), folder.dir()),
        failed);
  }

  private void begin(Function<Instant, RunFolder> newFolder) throws IOException {
    folder = newFolder.apply(started);
    lock();
    new Checkpoints(folder.checkpoints()).clear();
    // Before the checkpoint: by it the folder is known as a run's that did not come to begin.
    folder.write(provenance());
    if (init != null) {
      // Without it a run that is cut off early could not be begun again.
      saveCheckpoint();
    }
    folder.writeRun(RunConfigLoader.toJson(run));
  }

  private void takeUp(RunFolder existing) throws IOException {
    folder = existing;
    lock();
    Provenance provenance = provenance();
    folder.checkSameData(provenance);
    Checkpoint checkpoint = new Checkpoints(folder.checkpoints()).latest(this::tellDamaged);
    if (checkpoint != null) {
      try {
        trainer.resume(checkpoint);
      } catch (IllegalArgumentException e) {
        throw new RunFolderException(
            "%s: its checkpoint does not fit its run file: %s"
                .formatted(folder.dir(), e.getMessage()),
            e);
      }
    }
    folder.writeResumed(provenance);
  }

  private void tellDamaged(String reason) {
    context.print("note:   %s; going on from the checkpoint before it", reason);
  }

  private void lock() throws IOException {
    lock = folder.lock();
    if (lock == null) {
      throw new RunBusyException(folder.dir());
    }
    folder.removeLeftovers();
  }

  /** If it fails, it does not hide what failed before it. */
  private interface Finish extends AutoCloseable {
    @Override
    void close();
  }

  @SuppressWarnings("try") // it is there to be closed
  private RunResult train(Listeners listeners) throws IOException {
    boolean completed;
    try (Finish finish = listeners::finished) {
      completed = trainer.train(context.stop());
    } catch (TrainingDivergedException e) {
      folder.write(
          RunResult.of(run, "diverged", e.getMessage(), trainer.history(), trainer.keptEpoch()));
      throw new FailedException(diverged(e), e);
    }
    if (!completed) {
      stopped();
      return null;
    }
    RunResult result =
        RunResult.of(
            run,
            trainer.stoppedEarly() ? "stopped_early" : "completed",
            null,
            trainer.history(),
            trainer.keptEpoch());
    folder.write(result);
    context.print(
        "%n%s: %s, %.1f s in all",
        folder.dir(), inWords(result), (System.nanoTime() - startNanos) / 1e9);
    return result;
  }

  private String diverged(TrainingDivergedException e) {
    return "%s; the weights as they are now are not saved; %s keeps the run file, the metrics%s"
        .formatted(
            e.getMessage(),
            folder.dir(),
            trainer.lastEpoch() == null
                ? ""
                : " and the model of epoch " + trainer.keptEpoch().epoch());
  }

  private void stopped() throws IOException {
    boolean keepsEpoch = run.train().keep() == Keep.BEST && trainer.keptEpoch() != null;
    if (!keepsEpoch) {
      saveModel();
    }
    saveCheckpoint();
    context.print(
        "%nstopped in %s after %.1f s: %s keeps the model %s and the metrics of %s%ngo on with: convtrain train --resume %s",
        trainer.position(),
        (System.nanoTime() - startNanos) / 1e9,
        folder.dir(),
        keepsEpoch
            ? "of epoch %d (the best by %s)"
                .formatted(trainer.keptEpoch().epoch(), run.train().monitor().word())
            : "as it stood",
        epochs(trainer.history().size()),
        folder.dir());
  }

  /** {@code test accuracy 99.42% after 20 epochs}, and how those weights were chosen. */
  static String inWords(RunResult result) {
    String text =
        String.format(
            Locale.ROOT,
            "test accuracy %.2f%% after %s",
            100 * result.testAccuracy(),
            epochs(result.keptEpoch()));
    if (!result.keptBy().equals("last")) {
      text += " (the best of %d by %s)".formatted(result.epochs(), result.keptBy());
    } else if (result.status().equals("stopped_early")) {
      text += " (stopped early)";
    }
    return result.chosenOnTest() ? text + ", chosen on the test set: too good to be fair" : text;
  }

  private void saveModel() throws IOException {
    Map<String, String> metadata =
        Map.of(
            TrainedModel.RUN, RunConfigLoader.toJson(run),
            TrainedModel.TRAINED_TO, trainer.position());
    trainer.weights(metadata).write(folder.model());
  }

  private void saveCheckpoint() throws IOException {
    new Checkpoints(folder.checkpoints()).write(trainer.checkpoint());
  }

  /** Writes as it goes, so that no later failure can take anything away. */
  private final class Saver implements TrainListener {
    @Override
    public void epoch(EpochRecord epoch) {
      if (trainer.keptEpoch().epoch() == epoch.epoch()) {
        unchecked(TrainingRun.this::saveModel);
      }
    }

    @Override
    public void checkpointDue() {
      unchecked(TrainingRun.this::saveCheckpoint);
    }
  }

  private interface Write {
    void run() throws IOException;
  }

  private static void unchecked(Write write) {
    try {
      write.run();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private Provenance provenance() throws IOException {
    List<Path> files = new ArrayList<>(data.train().files());
    files.addAll(data.test().files());
    if (init != null) {
      files.add(init);
    }
    return context.provenance(run, started, files);
  }

  private void printHeader(DataFolder source) throws IOException {
    context.print(
        "%s: %,d parameters", run.name(), ModelGraph.of(run.model()).trainableParameters());
    context.print(
        "data:   %s, %,d training%s and %,d test images %s",
        source.dir(),
        data.train().size(),
        data.validation() == null
            ? ""
            : String.format(Locale.ROOT, ", %,d validation", data.validation().size()),
        data.test().size(),
        data.train().shape());
    context.print("device: %s", context.deviceLine());
    trainer
        .referenceOps()
        .forEach(
            op ->
                context.print(
                    "note:   %s has no fast implementation on this device%s",
                    op,
                    op.endsWith("(conv2d)") ? "; other channel counts or groups may have" : ""));
    Precision precision = run.train().precision();
    context.print(
        "run:    %s of %s, batch size %,d, %sseed %d, %s %s%n",
        epochs(run.train().epochs()),
        count(trainer.stepsPerEpoch(), "step"),
        trainer.batchSize(),
        precision == Precision.FP32 ? "" : precision.word() + ", ",
        run.seed(),
        trainer.hasBegun() ? "from " + trainer.position() + ", in" : "to",
        folder.dir());
    String device = context.backend(run).description();
    if (!folder.firstDevice().equals(device)) {
      context.print(
          "note:   the run began on %s; here it goes on, but not to the bit%n",
          folder.firstDevice());
    }
  }

  static String epochs(int count) {
    return count(count, "epoch");
  }

  private static String count(int count, String what) {
    return String.format(Locale.ROOT, count == 1 ? "%d %s" : "%,d %ss", count, what);
  }
}
