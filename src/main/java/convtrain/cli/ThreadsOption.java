package convtrain.cli;

import convtrain.backend.Backend;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** How many CPU threads compute. The launcher reads it too, for the native library. */
final class ThreadsOption {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  private int threads = defaultThreads();

  @Option(names = "--threads", paramLabel = "N", description = "CPU threads (default: all cores).")
  void setThreads(int threads) {
    if (threads < 1) {
      throw new ParameterException(
          command.commandLine(), "--threads=" + threads + "; expected at least 1");
    }
    this.threads = threads;
  }

  /** OpenMP's own setting where the user made one, so that both kinds of threads agree. */
  private static int defaultThreads() {
    String set = System.getenv("OMP_NUM_THREADS");
    return set != null && set.matches("[1-9][0-9]{0,3}")
        ? Integer.parseInt(set)
        : Runtime.getRuntime().availableProcessors();
  }

  int threads() {
    return threads;
  }

  Backend open() {
    return Backends.open(threads);
  }
}
