package convtrain.report;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/**
 * The commit a checkout stands at.
 *
 * @param commit its full hash
 * @param dirty whether tracked files differ from it
 */
public record GitState(String commit, boolean dirty) {
  /** Long enough for a cold disk; a run's start never waits longer for it. */
  private static final long TIMEOUT_SECONDS = 5;

  /**
   * Of the folder that the system property {@code convtrain.home} names; null if it is no checkout.
   */
  public static GitState current() {
    String home = System.getProperty("convtrain.home");
    return home == null ? null : of(Path.of(home));
  }

  /** Asks git; null if {@code home} is not the top of a checkout or git does not answer. */
  static GitState of(Path home) {
    try {
      Path top = Path.of(git(home, "rev-parse", "--show-toplevel"));
      if (!top.toRealPath().equals(home.toRealPath())) {
        return null;
      }
      String commit = git(home, "rev-parse", "HEAD");
      return new GitState(
          commit, !git(home, "status", "--porcelain", "--untracked-files=no").isEmpty());
    } catch (IOException e) {
      return null;
    }
  }

  private static String git(Path home, String... words) throws IOException {
    List<String> command = new ArrayList<>(List.of("git", "-C", home.toString()));
    command.addAll(List.of(words));
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD);
    builder.environment().keySet().removeIf(name -> name.startsWith("GIT_"));
    builder.environment().put("GIT_OPTIONAL_LOCKS", "0");
    Process process = builder.start();
    process.getOutputStream().close();
    try {
      String output =
          CompletableFuture.supplyAsync(() -> readAll(process))
              .get(TIMEOUT_SECONDS, TimeUnit.SECONDS);
      if (!process.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS) || process.exitValue() != 0) {
        throw new IOException("git gave no answer");
      }
      return output.strip();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException(e);
    } catch (ExecutionException | TimeoutException e) {
      throw new IOException(e);
    } finally {
      process.destroyForcibly();
    }
  }

  private static String readAll(Process process) {
    try {
      return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      return "";
    }
  }
}
