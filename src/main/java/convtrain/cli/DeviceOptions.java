package convtrain.cli;

import convtrain.backend.Backend;
import convtrain.config.TrainConfig;
import convtrain.graph.Precision;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Which device computes, and with how many CPU threads. The launcher reads --threads too. */
final class DeviceOptions {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  private String backend = Backends.AUTO;
  private int threads = defaultThreads();

  @Option(
      names = "--debug-sync",
      description = "On a GPU, wait for each op, so that an error names the op that failed; slow.")
  private boolean debugSync;

  @Option(
      names = "--backend",
      paramLabel = "NAME",
      description = "cuda, cpu, or auto: a GPU if one can be used, else the CPU (default: auto).")
  void setBackend(String backend) {
    if (!backend.equals(Backends.AUTO) && !Backends.names().contains(backend)) {
      throw new ParameterException(
          command.commandLine(),
          "--backend=%s; expected auto, %s"
              .formatted(backend, String.join(", ", Backends.names())));
    }
    this.backend = backend;
  }

  @Option(names = "--threads", paramLabel = "N", description = "CPU threads (default: all cores).")
  void setThreads(int threads) {
    if (threads < 1) {
      throw new ParameterException(
          command.commandLine(), "--threads=" + threads + "; expected at least 1");
    }
    int cores = Runtime.getRuntime().availableProcessors();
    if (threads > cores) {
      command
          .commandLine()
          .getErr()
          .println(
              "convtrain: note: --threads=%d on %d cores is slower than --threads=%d"
                  .formatted(threads, cores, cores));
    }
    this.threads = threads;
  }

  /** OpenMP's own setting where the user made one: oneDNN's passes and ours run on its threads. */
  private static int defaultThreads() {
    String set = System.getenv("OMP_NUM_THREADS");
    return set != null && set.matches("[1-9][0-9]{0,3}")
        ? Integer.parseInt(set)
        : Runtime.getRuntime().availableProcessors();
  }

  int threads() {
    return threads;
  }

  /** Loads the libraries of the backend that {@link #open(TrainConfig)} will start. */
  void load() {
    Backends.load(backend);
  }

  /** Starts the backend for using a trained network: in fp32, whatever it was trained in. */
  Backend open() {
    Backend.Options options = new Backend.Options(threads, Precision.FP32, true, true, debugSync);
    return Backends.open(backend, options).backend();
  }

  /** Starts the backend for a run. */
  Backends.Chosen open(TrainConfig train) {
    return Backends.open(
        backend,
        new Backend.Options(
            threads, train.precision(), train.deterministic(), train.cudaGraph(), debugSync));
  }

  /** Whether the backend was left to be found. */
  boolean auto() {
    return backend.equals(Backends.AUTO);
  }
}
