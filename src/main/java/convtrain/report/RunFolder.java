package convtrain.report;

import convtrain.train.AtomicFile;
import java.io.IOException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.time.format.DateTimeFormatter;
import java.util.stream.Stream;

/**
 * The folder that one run leaves behind, and the names of its files.
 *
 * @param dir the folder, which may be an earlier run's
 */
public record RunFolder(Path dir) {
  private static final DateTimeFormatter TIMESTAMP = DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss");

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
   * it, since no file is overwritten; another run may not.
   *
   * @throws RunFolderException if it holds another run or cannot be made
   */
  public static RunFolder at(Path dir) {
    RunFolder folder = new RunFolder(dir);
    Stream.of(folder.runJson(), folder.metrics(), folder.model(), folder.provenance())
        .filter(file -> Files.exists(file))
        .findFirst()
        .ifPresent(
            file -> {
              throw new RunFolderException(
                  "--out %s holds another run (found %s); give another folder, or remove that run"
                      .formatted(dir, file.getFileName()),
                  null);
            });
    makeFolders(dir);
    return folder;
  }

  /** The resolved run file. */
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
    String reason =
        e instanceof FileAlreadyExistsException ? "a file stands at " + e.getMessage() : "" + e;
    return new RunFolderException("cannot make the folder " + dir + ": " + reason, e);
  }
}
