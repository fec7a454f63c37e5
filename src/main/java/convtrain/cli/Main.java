package convtrain.cli;

import java.util.List;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Help.Ansi;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.ScopeType;

/** {@code convtrain}: finds the command and turns its outcome into an exit code. */
@Command(
    name = "convtrain",
    versionProvider = Version.class,
    subcommands = {
      TrainCommand.class,
      SweepCommand.class,
      LrFindCommand.class,
      ReportCommand.class,
      EvaluateCommand.class,
      PredictCommand.class,
      SummaryCommand.class,
      PreviewCommand.class,
      ProfileCommand.class,
      BackpropCommand.class,
      BenchCommand.class,
      BenchProcessCommand.class,
      DoctorCommand.class,
      CudaRedistCommand.class
    },
    description = "Trains convolutional networks described by a JSON run file.",
    synopsisSubcommandLabel = "COMMAND",
    exitCodeListHeading = "%nExit codes:%n",
    exitCodeList = {
      "0:done",
      "1:failed: training diverged, a device or a disk failed; or not over: of several runs,"
          + " another process trains some",
      "2:wrong usage or wrong input: command line, run file, data, model"
    },
    footer = {
      "",
      "Examples:",
      "  convtrain train configs/mnist-19k.json",
      "  convtrain train configs/mnist-19k.json --set train.epochs=5 --out runs/short",
      "  convtrain train --resume runs/short",
      "  convtrain sweep configs/mlp.json --set train.optimizer.lr=0.01,0.1,1",
      "  convtrain lr-find configs/mnist-19k.json",
      "  convtrain report runs/*",
      "  convtrain evaluate runs/short",
      "  convtrain predict runs/short digit.png",
      "  convtrain summary configs/mnist-19k.json",
      "  convtrain preview configs/mnist-19k.json",
      "  convtrain profile configs/mnist-19k.json",
      "  convtrain backprop",
      "  convtrain bench configs/mnist-19k.json",
      "  convtrain doctor",
      "",
      "convtrain COMMAND --help tells more of a command."
    })
public final class Main {
  @Option(
      names = {"-h", "--help"},
      usageHelp = true,
      scope = ScopeType.INHERIT,
      description = "Show this help and exit.")
  @SuppressWarnings("UnusedVariable") // picocli acts on it
  private boolean help;

  @Option(
      names = {"-V", "--version"},
      versionHelp = true,
      description = "Show the versions of Convtrain, its device library and Java, and exit.")
  @SuppressWarnings("UnusedVariable") // picocli acts on it
  private boolean version;

  @Option(
      names = "--debug",
      scope = ScopeType.INHERIT,
      description = "Show where in the program an error arose (also: CONVTRAIN_DEBUG=1).")
  private boolean debug;

  private final long startNanos = System.nanoTime();

  private Main() {}

  /** When the program began, by {@link System#nanoTime}. */
  long startNanos() {
    return startNanos;
  }

  public static void main(String[] args) {
    StandardOutput output = StandardOutput.install();
    int exitCode = run(args);
    System.out.flush();
    String failure = output.failure();
    if (failure != null) {
      System.err.println(
          "convtrain: writing to standard output failed: "
              + failure
              + "; what it should have held is lost, at least in part");
    }
    System.exit(failure != null && exitCode == ExitCode.OK ? ExitCode.SOFTWARE : exitCode);
  }

  /** Runs one command on standard output and error; returns its exit code. */
  static int run(String... args) {
    Main main = new Main();
    CommandLine commandLine = new CommandLine(main);
    Failures failures = new Failures(() -> main.debug || System.getenv("CONVTRAIN_DEBUG") != null);
    // A file name may begin with @.
    commandLine.setExpandAtFiles(false);
    commandLine.setColorScheme(CommandLine.Help.defaultColorScheme(Ansi.OFF));
    commandLine.setParameterExceptionHandler(failures);
    commandLine.setExecutionExceptionHandler(failures);
    commandLine.setExecutionStrategy(Main::execute);
    try {
      return commandLine.execute(args);
    } catch (OutOfMemoryError | LinkageError e) {
      return failures.handleError(e, commandLine.getErr());
    }
  }

  private static int execute(ParseResult parsed) {
    List<CommandLine> commands = parsed.asCommandLineList();
    OutputFile.checkDistinct(commands.get(commands.size() - 1).getCommandSpec());
    return new CommandLine.RunLast().execute(parsed);
  }
}
