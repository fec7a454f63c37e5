package convtrain.softcuda;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Assumptions;

/**
 * The software CUDA device that the loader path of the test JVM names ({@code
 * src/test/native/softcuda}). It reads its control file when a primary context is made, and writes
 * its log when rules are broken and when the context ends.
 */
public final class SoftCuda {
  private static final String LOG = "SOFTCUDA_LOG";
  private static final String CONTROL = "SOFTCUDA_CONTROL";

  private SoftCuda() {}

  /** Skips the test, with the reason, on a machine where the device could not be built. */
  public static void assumeAvailable() {
    String why = unavailable();
    Assumptions.assumeTrue(why.isEmpty(), why);
  }

  /** Why the device is not there; empty if it is. */
  public static String unavailable() {
    String control = System.getenv(CONTROL);
    if (control == null) {
      return "no software CUDA device: " + CONTROL + " is not set; run the tests with Maven";
    }
    return unavailable(Path.of(control).getParent());
  }

  /** Why what build.sh made in a folder is no device; empty if it is one. */
  static String unavailable(Path folder) {
    if (Files.exists(folder.resolve("unavailable"))) {
      return read(folder.resolve("unavailable")).get(0);
    }
    return Files.exists(folder.resolve("libcuda.so.1"))
        ? ""
        : "no software CUDA device in " + folder + "; run src/test/native/softcuda/build.sh";
  }

  /**
   * Decides how the next primary context behaves, and starts a new log.
   *
   * @param lines {@code seed=7}, {@code memory=BYTES}, {@code fail=alloc:3:2}, {@code late=always};
   *     none for the device as it is by default
   */
  public static void control(String... lines) {
    try {
      Files.write(Path.of(System.getenv(CONTROL)), List.of(lines));
      Files.deleteIfExists(Path.of(System.getenv(LOG)));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** What the device wrote since the last {@link #control}. */
  public static List<String> log() {
    Path path = Path.of(System.getenv(LOG));
    return Files.exists(path) ? read(path) : List.of();
  }

  /** Broken rules, each with the call and what was wrong. */
  public static List<String> violations() {
    return startingWith("violation ");
  }

  /** What was not freed when the context ended, each with the call that made it. */
  public static List<String> leaks() {
    return startingWith("leak ");
  }

  /** Faults that were injected. */
  public static List<String> injected() {
    return startingWith("injected ");
  }

  /** How often a driver or library function was called, of the contexts that ended. */
  public static long calls(String function) {
    return startingWith("stat " + function + " ").stream().mapToLong(Long::parseLong).sum();
  }

  private static List<String> startingWith(String prefix) {
    return log().stream()
        .filter(line -> line.startsWith(prefix))
        .map(line -> line.substring(prefix.length()))
        .toList();
  }

  private static List<String> read(Path path) {
    try {
      return Files.readAllLines(path);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
