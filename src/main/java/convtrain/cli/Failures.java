package convtrain.cli;

import convtrain.backend.BackendException;
import convtrain.backend.DeviceException;
import convtrain.config.ConfigException;
import convtrain.data.DataException;
import convtrain.graph.GraphException;
import convtrain.plan.PlanException;
import convtrain.report.RunFolderException;
import convtrain.report.plot.PlotException;
import convtrain.train.SafeTensorsException;
import convtrain.worksheet.WorksheetException;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.UncheckedIOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.util.Set;
import java.util.function.BooleanSupplier;
import picocli.CommandLine;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.IExecutionExceptionHandler;
import picocli.CommandLine.IParameterExceptionHandler;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.UnmatchedArgumentException;

/** Turns what went wrong into one message on standard error and an exit code. */
final class Failures implements IParameterExceptionHandler, IExecutionExceptionHandler {
  private static final Set<Class<? extends Exception>> WRONG_INPUT =
      Set.of(
          BackendException.class,
          ConfigException.class,
          DataException.class,
          GraphException.class,
          RunFolderException.class,
          SafeTensorsException.class,
          WorksheetException.class);

  /** Failures whose message says all that a user can know. */
  private static final Set<Class<? extends Exception>> EXPLAINED =
      Set.of(
          DeviceException.class, FailedException.class, PlanException.class, PlotException.class);

  private final BooleanSupplier debug;

  /**
   * @param debug whether stack traces are wanted; asked once something failed
   */
  Failures(BooleanSupplier debug) {
    this.debug = debug;
  }

  /** Wrong usage: 2. */
  @Override
  public int handleParseException(ParameterException e, String[] args) {
    CommandLine command = e.getCommandLine();
    PrintWriter err = command.getErr();
    say(
        err,
        e.getMessage()
            .replaceFirst("' is not a double$", "' is not a number")
            .replaceFirst("' is not an? (int|long)$", "' is not a whole number"));
    UnmatchedArgumentException.printSuggestions(e, err);
    err.println("Run '" + command.getCommandSpec().qualifiedName() + " --help' for usage.");
    trace(e, err);
    return ExitCode.USAGE;
  }

  /** Wrong input: 2; all else: 1. */
  @Override
  public int handleExecutionException(Exception e, CommandLine command, ParseResult parsed) {
    PrintWriter err = command.getErr();
    boolean wrongInput = isOneOf(WRONG_INPUT, e);
    if (wrongInput || isOneOf(EXPLAINED, e)) {
      say(err, e.getMessage());
    } else if (cause(e) instanceof IOException io) {
      say(err, "reading or writing failed: " + io.getMessage() + reason(io));
    } else {
      say(err, "unexpected " + e + (debug.getAsBoolean() ? "" : "; --debug shows where"));
    }
    trace(e, err);
    return wrongInput ? ExitCode.USAGE : ExitCode.SOFTWARE;
  }

  /** No memory, or a native library that does not load: 1. */
  int handleError(Error e, PrintWriter err) {
    say(
        err,
        e instanceof OutOfMemoryError memory
            ? outOfMemory(memory)
            : "a library does not load: " + e);
    trace(e, err);
    return ExitCode.SOFTWARE;
  }

  static String outOfMemory(OutOfMemoryError e) {
    return "out of memory: " + e.getMessage() + "; try a smaller train.batch_size";
  }

  private static boolean isOneOf(Set<Class<? extends Exception>> kinds, Exception e) {
    return kinds.stream().anyMatch(kind -> kind.isInstance(e));
  }

  private static Throwable cause(Exception e) {
    return e instanceof UncheckedIOException ? e.getCause() : e;
  }

  /** What Java says in the class's name only. */
  private static String reason(IOException e) {
    if (e instanceof AccessDeniedException) {
      return ": no permission";
    }
    return e instanceof NoSuchFileException ? ": no such file or folder" : "";
  }

  private static void say(PrintWriter err, String message) {
    err.println("convtrain: " + message);
  }

  private void trace(Throwable e, PrintWriter err) {
    if (debug.getAsBoolean()) {
      e.printStackTrace(err);
    }
  }
}
