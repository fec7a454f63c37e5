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

  private int threads = Runtime.getRuntime().availableProcessors();

  @Option(names = "--threads", paramLabel = "N", description = "CPU threads (default: all cores).")
  void setThreads(int threads) {
    if (threads < 1) {
      throw new ParameterException(
          command.commandLine(), "--threads=" + threads + "; expected at least 1");
    }
    this.threads = threads;
  }

  int threads() {
    return threads;
  }

  Backend open() {
    return Backends.open(threads);
  }
}
