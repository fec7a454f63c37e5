package convtrain.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import convtrain.files.AtomicFile;
import java.io.IOException;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The folder that one run leaves behind, and the names of its files.
 *
 * @param dir the folder, which may be an earlier run's
 */
public record RunFolder(Path dir) {
  private static final DateTimeFormatter TIMESTAMP = DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss");

  /** The files that a run writes here, each whole or not at all. */
  private static final Pattern WRITTEN =
      Pattern.compile(
          "(run|result|provenance(-resumed-\\d+)?)\\.json|metrics\\.jsonl|model\\.safetensors");

  /**
   * Makes {@code <runs>/<name>-<yyyyMMdd-HHmmss>}, with -2, -3 ... appended while the name is
   * taken.
   *
   * @param name a run's name, which the run file has checked
   * @throws RunFolderException if the folder cannot be made
   */
  public static RunFolder create(Path runs, String name, LocalDateTime started) {
    String first = name + "-" + TIMESTAMP.format(started);
    makeFolders(runs);
    for (int n = 1; ; n++) {
      Path dir = runs.resolve(n == 1 ? first : first + "-" + n);
      try {
        return new RunFolder(Files.createDirectory(dir));
      } catch (FileAlreadyExistsException e) {
        continue;
      } catch (IOException e) {
        throw cannotMake(dir, e);
      }
    }
  }

  /**
   * Takes the folder named with {@code --out}, making it if it is not there. Other files may lie in
   * it, since no file is overwritten; another run, or a group of them, may not. What a run left
   * that was killed before its {@link #runJson} was written, provenance and checkpoints, is no run
   * yet and gives way to the new one.
   *
   * @throws RunFolderException if it holds another run or cannot be made
   */
  public static RunFolder at(Path dir) {
    refuse(dir, Stream.of(GroupFolder.file(dir)));
    return withoutRun(dir);
  }

  /** The same, except that a group may be there. */
  static RunFolder withoutRun(Path dir) {
    RunFolder folder = new RunFolder(dir);
    refuse(dir, Stream.of(folder.runJson(), folder.metrics(), folder.model(), folder.resultJson()));
    if (!Files.exists(folder.provenance())) {
      refuse(dir, Stream.of(folder.checkpoints()));
    }
    makeFolders(dir);
    return folder;
  }

  private static void refuse(Path dir, Stream<Path> files) {
    files
        .filter(file -> Files.exists(file))
        .findFirst()
        .ifPresent(
            file -> {
              throw new RunFolderException(
                  "--out %s holds another run (found %s); go on with it (--resume %s), give another folder, or remove that run"
                      .formatted(dir, file.getFileName(), dir));
            });
  }

  /**
   * A run's folder, to go on with the run.
   *
   * @throws RunFolderException if it holds none
   */
  public static RunFolder of(Path dir) {
    RunFolder folder = new RunFolder(dir);
    if (!folder.hasBegun()) {
      throw new RunFolderException(
          "%s holds no run (no run.json); expected a folder that convtrain train made"
              .formatted(dir));
    }
    return folder;
  }

  /** Makes the folder if it is not there. */
  public RunFolder make() {
    makeFolders(dir);
    return this;
  }

  /** Whether a run began here. */
  public boolean hasBegun() {
    return Files.isRegularFile(runJson());
  }

  /** The resolved run file; written last, so that what it stands beside is whole. */
  public Path runJson() {
    return dir.resolve("run.json");
  }

  /** One JSON object per epoch, a line each. */
  public Path metrics() {
    return dir.resolve("metrics.jsonl");
  }

  /** The trained weights. */
  public Path model() {
    return dir.resolve("model.safetensors");
  }

  /** What the run was made with and from. */
  public Path provenance() {
    return dir.resolve("provenance.json");
  }

  /** What the run needs to go on where it was cut off. */
  public Path checkpoints() {
    return dir.resolve("checkpoints");
  }

  /** What came out of it, once it is over. */
  public Path resultJson() {
    return dir.resolve("result.json");
  }

  /** What came out of the run; null while it is not over. */
  public RunResult result() throws IOException {
    if (!Files.exists(resultJson())) {
      return null;
    }
    String remedy = "remove it, then convtrain train --resume " + dir + " writes it anew";
    try {
      RunResult result = Json.read(resultJson(), RunResult.class);
      if (result != null && result.status() != null) {
        return result;
      }
    } catch (JsonProcessingException e) {
      throw RunFolderException.damaged(resultJson(), line(e), remedy, e);
    }
    throw RunFolderException.damaged(resultJson(), 1, remedy, null);
  }

  private static long line(JsonProcessingException e) {
    return e.getLocation() == null ? 1 : e.getLocation().getLineNr();
  }

  /** Writes the result, whole or not at all. */
  public void write(RunResult result) throws IOException {
    AtomicFile.write(resultJson(), Json.pretty(result));
  }

  /**
   * Keeps other processes out until it is closed.
   *
   * @return null if another process trains in this folder
   */
  public RunLock lock() throws IOException {
    return RunLock.tryOn(dir);
  }

  /** Removes what a process that was killed had begun to write; to be called with the lock. */
  public void removeLeftovers() throws IOException {
    AtomicFile.removeLeftovers(dir, WRITTEN);
  }

  /**
   * Checks that the run goes on with the files that it began with, wherever they lie now.
   *
   * @throws RunFolderException naming one whose content differs
   */
  public void checkSameData(Provenance now) throws IOException {
    List<String> before = new ArrayList<>();
    for (JsonNode file : readProvenance().path("data")) {
      before.add(file.path("sha256").asText());
    }
    for (Provenance.DataFile file : now.data()) {
      if (!before.contains(file.sha256())) {
        throw new RunFolderException(
            "%s: the run began with other data than is now in %s (SHA-256 %s); bring back what it had"
                .formatted(dir, file.path(), file.sha256()));
      }
    }
  }

  /** The device that the run began on, in words. */
  public String firstDevice() throws IOException {
    return readProvenance().path("backend").asText();
  }

  private JsonNode readProvenance() throws IOException {
    try {
      return Json.tree(provenance());
    } catch (JsonProcessingException e) {
      throw RunFolderException.damaged(
          provenance(), line(e), "the run cannot go on without it: bring back a copy", e);
    }
  }

  /** Writes what a run went on with and from, beside what it began with. */
  public void writeResumed(Provenance provenance) throws IOException {
    int n = 1;
    while (Files.exists(dir.resolve("provenance-resumed-" + n + ".json"))) {
      n++;
    }
    AtomicFile.write(dir.resolve("provenance-resumed-" + n + ".json"), provenance.toJson());
  }

  /** Writes the resolved run file, whole or not at all. */
  public void writeRun(String json) throws IOException {
    AtomicFile.write(runJson(), json);
  }

  /** Writes the provenance, whole or not at all. */
  public void write(Provenance provenance) throws IOException {
    AtomicFile.write(provenance(), provenance.toJson());
  }

  private static void makeFolders(Path dir) {
    try {
      Files.createDirectories(dir);
    } catch (IOException e) {
      throw cannotMake(dir, e);
    }
  }

  private static RunFolderException cannotMake(Path dir, IOException e) {
    String reason = e.getMessage();
    if (e instanceof FileAlreadyExistsException) {
      reason = "a file stands at " + e.getMessage();
    } else if (e instanceof AccessDeniedException denied) {
      reason = "no permission to write at " + denied.getFile();
    }
    return new RunFolderException("cannot make the folder " + dir + ": " + reason, e);
  }
}
