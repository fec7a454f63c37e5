package convtrain.cli;

import convtrain.bench.BenchGrid.Combination;
import convtrain.bench.BenchGrid.Kind;
import convtrain.bench.StartUp;
import convtrain.config.RunConfigLoader;
import convtrain.report.Json;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.PrintWriter;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import picocli.CommandLine.ExitCode;

/**
 * Runs trainings one after the other, each in a process like this one: the same Java, class path
 * and options. OpenMP takes its number of threads from that process's environment.
 */
final class BenchProcess implements AutoCloseable {
  private static final String PREFIX = "convtrain: ";
  private static final String OUR_PROPERTIES = "convtrain.";
  private static final int POLL_MILLIS = 100;

  /**
   * How one ended.
   *
   * @param result null if it failed or was stopped
   * @param failure what it said last; null where there is a result
   */
  record Outcome<T>(T result, String failure) {}

  private final StopSignal stop;
  private final PrintWriter err;
  private final Path folder;
  private int succeeded;
  private int worst = ExitCode.OK;

  BenchProcess(StopSignal stop, PrintWriter err) throws IOException {
    this.stop = stop;
    this.err = err;
    folder = Files.createTempDirectory("convtrain-bench");
  }

  /** Whether a signal came. */
  boolean isStopped() {
    return stop.getAsBoolean();
  }

  /** 0 if all succeeded, the failures' own if none did, else 1. */
  int exitCode() {
    if (isStopped()) {
      return ExitCode.SOFTWARE;
    }
    return worst == ExitCode.OK || succeeded == 0 ? worst : ExitCode.SOFTWARE;
  }

  /**
   * Trains one.
   *
   * @param type of what it writes
   * @param mode further arguments
   */
  <T> Outcome<T> run(Combination one, Class<T> type, String... mode) throws IOException {
    Path result = folder.resolve("result.json");
    Path said = folder.resolve("said.txt");
    Files.deleteIfExists(result);
    Files.writeString(folder.resolve("run.json"), RunConfigLoader.toJson(one.run()));
    ProcessBuilder builder = new ProcessBuilder(command(one, result, mode));
    String threads = one.values().get(Kind.THREADS);
    if (threads != null) {
      builder.environment().put("OMP_NUM_THREADS", threads);
    }
    builder.redirectOutput(ProcessBuilder.Redirect.DISCARD).redirectError(said.toFile());
    int status = await(builder.start());
    if (status == ExitCode.OK) {
      succeeded++;
      return new Outcome<>(Json.read(result, type), null);
    }
    worst = worst == ExitCode.OK || worst == status ? status : ExitCode.SOFTWARE;
    return new Outcome<>(null, failure(said, status));
  }

  private List<String> command(Combination one, Path result, String... mode) {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
    System.getProperties().stringPropertyNames().stream()
        .filter(name -> name.startsWith(OUR_PROPERTIES))
        .forEach(name -> command.add("-D" + name + "=" + System.getProperty(name)));
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), Main.class.getName()));
    command.add(BenchProcessCommand.NAME);
    command.add(folder.resolve("run.json").toString());
    command.add("--result=" + result);
    command.addAll(List.of(mode));
    if (one.values().containsKey(Kind.BACKEND)) {
      command.add("--backend=" + one.values().get(Kind.BACKEND));
    }
    if (one.values().containsKey(Kind.THREADS)) {
      command.add("--threads=" + one.values().get(Kind.THREADS));
    }
    command.add("--started=" + StartUp.micros());
    return command;
  }

  /** A signal to this process alone is passed on. */
  private int await(Process process) throws IOException {
    try {
      boolean told = false;
      while (!process.waitFor(POLL_MILLIS, TimeUnit.MILLISECONDS)) {
        if (isStopped() && !told) {
          told = true;
          process.destroy();
        }
      }
      return process.exitValue();
    } catch (InterruptedException e) {
      process.destroy();
      Thread.currentThread().interrupt();
      throw new InterruptedIOException("interrupted while a training was measured");
    }
  }

  private String failure(Path said, int status) throws IOException {
    List<String> lines = Files.readAllLines(said, StandardCharsets.UTF_8);
    if (!isStopped()) {
      lines.forEach(err::println);
      err.flush();
    }
    return lines.stream()
        .filter(line -> line.startsWith(PREFIX))
        .map(line -> line.substring(PREFIX.length()))
        .findFirst()
        .orElse("its process ended with exit code " + status);
  }

  @Override
  public void close() throws IOException {
    for (String file : List.of("run.json", "result.json", "said.txt")) {
      Files.deleteIfExists(folder.resolve(file));
    }
    Files.deleteIfExists(folder);
  }
}
