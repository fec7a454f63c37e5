package convtrain.train;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The checkpoints of one run: {@code epoch-00004-batch-0000120.safetensors} (120 batches into the
 * fourth epoch), the last two of them. Each is written whole or not at all, and an older one is
 * removed only when a newer one is on the disk, so that there is always one to go on from, whenever
 * the process or the machine dies.
 */
public final class Checkpoints {
  private static final int KEPT = 2;
  private static final Pattern NAME = Pattern.compile("epoch-\\d{5,}-batch-\\d{7,}\\.safetensors");

  private final Path folder;

  /**
   * @param folder made when the first is written
   */
  public Checkpoints(Path folder) {
    this.folder = folder;
  }

  /** Writes one; then only it and the one before are left. */
  public void write(Checkpoint checkpoint) throws IOException {
    Files.createDirectories(folder);
    Position at = checkpoint.position();
    checkpoint.write(
        folder.resolve("epoch-%05d-batch-%07d.safetensors".formatted(at.epoch(), at.batch())));
    List<Path> newestFirst = newestFirst();
    for (Path old : newestFirst.subList(Math.min(KEPT, newestFirst.size()), newestFirst.size())) {
      Files.deleteIfExists(old);
    }
  }

  /** Removes all, which an earlier run that never really began may have left. */
  public void clear() throws IOException {
    for (Path old : newestFirst()) {
      Files.delete(old);
    }
  }

  /**
   * The newest; null if there is none.
   *
   * @throws SafeTensorsException if it is not what a run wrote
   */
  public Checkpoint latest() throws IOException {
    List<Path> newestFirst = newestFirst();
    return newestFirst.isEmpty() ? null : Checkpoint.read(newestFirst.get(0));
  }

  private List<Path> newestFirst() throws IOException {
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (Stream<Path> files = Files.list(folder)) {
      List<Path> found =
          new ArrayList<>(
              files.filter(file -> NAME.matcher(file.getFileName().toString()).matches()).toList());
      found.sort(Collections.reverseOrder());
      return found;
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }
}
