package convtrain.cli;

import convtrain.backend.Backend;
import convtrain.config.RunConfig;
import convtrain.config.TrainConfig;
import convtrain.data.Dataset;
import convtrain.data.Split;
import convtrain.graph.Precision;
import convtrain.report.Provenance;
import convtrain.train.Trainer;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Model.CommandSpec;

/**
 * What the runs of one command share: the device, the data read so far, the wish to stop, and where
 * to print. The device is opened anew only for a run that wants another precision or mode of it.
 */
final class TrainContext implements AutoCloseable {
  /** What of a run file the device is opened for. */
  private record Mode(Precision precision, boolean deterministic, boolean cudaGraph) {
    static Mode of(TrainConfig train) {
      return new Mode(train.precision(), train.deterministic(), train.cudaGraph());
    }
  }

  private final DeviceOptions device;
  private final CommandSpec spec;
  private final boolean progress;
  private final StopSignal stop;
  private final Map<Path, Dataset[]> loaded = new HashMap<>();
  private Mode mode;
  private Backends.Chosen chosen;

  /**
   * @param progress whether a live bar is wanted
   */
  TrainContext(DeviceOptions device, CommandSpec spec, boolean progress) {
    this.device = device;
    this.spec = spec;
    this.progress = progress;
    this.stop = new StopSignal(err());
  }

  Backend backend(RunConfig run) {
    Mode wanted = Mode.of(run.train());
    if (!wanted.equals(mode)) {
      closeBackend();
      chosen = device.open(run.train());
      mode = wanted;
    }
    return chosen.backend();
  }

  /** The device in words, with the reason where it was left to be found; not its remedy. */
  String deviceLine() {
    String why = device.auto() ? " (auto; " + chosen.why().replaceFirst(";.*", "") + ")" : "";
    return chosen.backend().description() + why;
  }

  int threads() {
    return device.threads();
  }

  /** The run's samples, limited and split as it says; read once per folder. */
  Trainer.Data data(RunConfig run, DataFolder folder) {
    Backend backend = backend(run);
    Dataset[] files =
        loaded.computeIfAbsent(
            folder.dir(),
            dir -> new Dataset[] {folder.load(true, backend), folder.load(false, backend)});
    folder.check(files[0]);
    folder.check(files[1]);
    return split(run, files[0], files[1]);
  }

  /** What is trained on, what is held out of it, and {@code test}. */
  static Trainer.Data split(RunConfig run, Dataset train, Dataset test) {
    Integer limit = run.data().limit();
    Dataset limited = limit == null ? train : train.limit(limit);
    double fraction = run.data().validationSplit();
    if (fraction == 0) {
      return new Trainer.Data(limited, null, test);
    }
    Split split = Split.stratified(limited, fraction, run.seed());
    return new Trainer.Data(split.train(), split.validation(), test);
  }

  /**
   * What a run, or what was measured of it, was made with.
   *
   * @param started when the command began
   * @param files that it read
   */
  Provenance provenance(RunConfig run, Instant started, List<Path> files) throws IOException {
    return Provenance.of(
        new Provenance.Run(
            run.seed(),
            started,
            command(spec),
            backend(run).description(),
            threads(),
            Libraries.versions(System.getProperty("java.class.path")),
            files));
  }

  /**
   * Tells that a signal came before there was anything to show. Told here and not by an exception,
   * since the virtual machine ends once this is closed.
   *
   * @return the exit status
   */
  int stoppedEarly(String message) {
    err().println("convtrain: " + message);
    err().flush();
    return ExitCode.SOFTWARE;
  }

  /** The command line's words. */
  static List<String> command(CommandSpec spec) {
    List<String> command = new ArrayList<>(List.of("convtrain"));
    command.addAll(spec.root().commandLine().getParseResult().originalArgs());
    return command;
  }

  boolean progress() {
    return progress;
  }

  StopSignal stop() {
    return stop;
  }

  void print(String format, Object... values) {
    PrintWriter out = spec.commandLine().getOut();
    out.println(String.format(Locale.ROOT, format, values));
    out.flush();
  }

  PrintWriter err() {
    return spec.commandLine().getErr();
  }

  private void closeBackend() {
    if (chosen != null) {
      loaded.clear();
      chosen.backend().close();
      chosen = null;
      mode = null;
    }
  }

  /** The signal last: it lets the virtual machine end only when the natives are at rest. */
  @Override
  public void close() throws IOException {
    try {
      closeBackend();
    } finally {
      stop.close();
    }
  }
}
