package convtrain.report;

import java.io.IOException;
import java.io.OutputStream;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * What a run was made with and from, so that its numbers can be explained and had again.
 *
 * @param convtrainVersion "dev" if it does not run from its jar
 * @param git the checkout it ran from; null if none
 * @param started ISO 8601, UTC
 * @param command the command line's words
 * @param backend the device in words
 * @param libraries versions by name
 * @param data the files trained and tested on
 */
public record Provenance(
    String convtrainVersion,
    GitState git,
    long seed,
    String started,
    List<String> command,
    String backend,
    int threads,
    Machine machine,
    Jvm jvm,
    Map<String, String> libraries,
    List<DataFile> data) {

  /**
   * What the caller knows of its run.
   *
   * @param threads threads that the backend computes with
   * @param dataFiles are read whole, to hash them
   */
  public record Run(
      long seed,
      Instant started,
      List<String> command,
      String backend,
      int threads,
      Map<String, String> libraries,
      List<Path> dataFiles) {}

  /**
   * @param cpu the model's name; null where the system does not tell
   * @param cores logical processors that this process may use
   * @param memoryBytes main memory, or the container's limit
   */
  public record Machine(String os, String arch, String cpu, int cores, long memoryBytes) {
    /** Of this machine, or of the container's share of it. */
    public static Machine current() {
      long memory =
          ManagementFactory.getPlatformMXBean(com.sun.management.OperatingSystemMXBean.class)
              .getTotalMemorySize();
      return new Machine(
          System.getProperty("os.name") + " " + System.getProperty("os.version"),
          System.getProperty("os.arch"),
          cpuModel(Path.of("/proc/cpuinfo")),
          Runtime.getRuntime().availableProcessors(),
          memory);
    }

    /** The first "model name" of Linux's table; null if there is no such file or line. */
    static String cpuModel(Path cpuinfo) {
      try (var lines = Files.lines(cpuinfo, StandardCharsets.ISO_8859_1)) {
        return lines
            .filter(line -> line.startsWith("model name"))
            .map(line -> line.substring(line.indexOf(':') + 1).strip())
            .findFirst()
            .orElse(null);
      } catch (IOException e) {
        return null;
      }
    }
  }

  /**
   * @param options what the virtual machine was started with
   */
  public record Jvm(
      String version, String name, String vendor, long maxHeapBytes, List<String> options) {
    /** Of this process. */
    public static Jvm current() {
      return new Jvm(
          System.getProperty("java.version"),
          System.getProperty("java.vm.name"),
          System.getProperty("java.vendor"),
          Runtime.getRuntime().maxMemory(),
          ManagementFactory.getRuntimeMXBean().getInputArguments());
    }
  }

  /** A file with its size and SHA-256. */
  public record DataFile(String path, long bytes, String sha256) {
    static DataFile of(Path file) throws IOException {
      try (DigestInputStream in =
          new DigestInputStream(Files.newInputStream(file), MessageDigest.getInstance("SHA-256"))) {
        long bytes = in.transferTo(OutputStream.nullOutputStream());
        return new DataFile(
            file.toString(), bytes, HexFormat.of().formatHex(in.getMessageDigest().digest()));
      } catch (NoSuchAlgorithmException e) {
        throw new AssertionError("every Java platform has SHA-256", e);
      }
    }
  }

  /**
   * Gathers the rest from the system.
   *
   * @throws IOException if a data file cannot be read
   */
  public static Provenance of(Run run) throws IOException {
    List<DataFile> data = new ArrayList<>();
    for (Path file : run.dataFiles) {
      data.add(DataFile.of(file));
    }
    return new Provenance(
        version(),
        GitState.current(),
        run.seed,
        run.started.truncatedTo(ChronoUnit.SECONDS).toString(),
        run.command,
        run.backend,
        run.threads,
        Machine.current(),
        Jvm.current(),
        new TreeMap<>(run.libraries),
        data);
  }

  /** The version in the jar's manifest, or "dev". */
  public static String version() {
    String version = Provenance.class.getPackage().getImplementationVersion();
    return version == null ? "dev" : version;
  }

  /** Indented, snake_case keys; what is not known is left out. */
  public String toJson() {
    return Json.pretty(this);
  }
}
