package convtrain.cli;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Set;
import java.util.stream.Stream;

/**
 * Runs a command line in this process and keeps what it prints; on the CPU unless told otherwise,
 * since the machine may have a GPU.
 */
record Cli(int exitCode, String out, String err) {
  private static final Set<String> COMPUTING =
      Set.of("train", "sweep", "evaluate", "predict", "summary", "profile");

  static Cli run(String... given) {
    String[] args = onCpu(given);
    PrintStream standardOut = System.out;
    PrintStream standardErr = System.err;
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    ByteArrayOutputStream err = new ByteArrayOutputStream();
    System.setOut(new PrintStream(out, true, StandardCharsets.UTF_8));
    System.setErr(new PrintStream(err, true, StandardCharsets.UTF_8));
    try {
      int exitCode = Main.run(args);
      return new Cli(
          exitCode, out.toString(StandardCharsets.UTF_8), err.toString(StandardCharsets.UTF_8));
    } finally {
      System.setOut(standardOut);
      System.setErr(standardErr);
    }
  }

  private static String[] onCpu(String... args) {
    if (args.length == 0
        || !COMPUTING.contains(args[0])
        || Stream.of(args).anyMatch(arg -> arg.startsWith("--backend"))) {
      return args;
    }
    return Stream.concat(Stream.of(args), Stream.of("--backend=cpu")).toArray(String[]::new);
  }
}
