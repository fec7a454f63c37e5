package convtrain.train;

import convtrain.files.AtomicFile;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.function.Consumer;
import java.util.regex.Matcher;
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

  /** No number is longer than an int. */
  private static final Pattern NAME =
      Pattern.compile("epoch-(\\d{5,10})-batch-(\\d{7,10})\\.safetensors");

  private static final int EPOCH = 1;
  private static final int BATCH = 2;

  private final Path folder;

  /**
   * @param folder made when the first is written
   */
  public Checkpoints(Path folder) {
    this.folder = folder;
  }

  /**
   * Writes one; then only it and the one before are left: a run that stands before a checkpoint
   * could not read it. What a process that was killed had begun goes first, since it may fill the
   * disk.
   */
  public void write(Checkpoint checkpoint) throws IOException {
    Files.createDirectories(folder);
    AtomicFile.removeLeftovers(folder, NAME);
    Position at = checkpoint.position();
    checkpoint.write(
        folder.resolve("epoch-%05d-batch-%07d.safetensors".formatted(at.epoch(), at.batch())));
    List<Path> newestFirst = new ArrayList<>(newestFirst());
    for (Path damaged : later(newestFirst, at)) {
      Files.deleteIfExists(damaged);
      newestFirst.remove(damaged);
    }
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
   * The newest that can be read; null if there is none at all.
   *
   * @param damaged is told, in words, of each newer one
   * @throws SafeTensorsException if there are some, but none can be read
   */
  public Checkpoint latest(Consumer<String> damaged) throws IOException {
    List<String> reasons = new ArrayList<>();
    for (Path file : newestFirst()) {
      try {
        Checkpoint checkpoint = Checkpoint.read(file);
        reasons.forEach(damaged);
        return checkpoint;
      } catch (SafeTensorsException e) {
        reasons.add(e.getMessage());
      } catch (IOException e) {
        reasons.add(file + ": reading failed: " + e.getMessage());
      }
    }
    if (reasons.isEmpty()) {
      return null;
    }
    throw new SafeTensorsException(
        "%s: no checkpoint can be read; bring one back from a copy, or train anew into another folder%n  %s"
            .formatted(folder, String.join(System.lineSeparator() + "  ", reasons)));
  }

  private static List<Path> later(List<Path> files, Position at) {
    return files.stream()
        .filter(
            file ->
                number(file, EPOCH) > at.epoch()
                    || number(file, EPOCH) == at.epoch() && number(file, BATCH) > at.batch())
        .toList();
  }

  private List<Path> newestFirst() throws IOException {
    if (!Files.isDirectory(folder)) {
      return List.of();
    }
    try (Stream<Path> files = Files.list(folder)) {
      List<Path> found =
          new ArrayList<>(
              files.filter(file -> NAME.matcher(file.getFileName().toString()).matches()).toList());
      found.sort(
          Comparator.comparingLong((Path file) -> number(file, EPOCH))
              .thenComparingLong(file -> number(file, BATCH))
              .reversed());
      return found;
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  /** By the numbers, which may outgrow the width they are padded to. */
  private static long number(Path file, int group) {
    Matcher name = NAME.matcher(file.getFileName().toString());
    if (!name.matches()) {
      throw new IllegalArgumentException(file + " is no checkpoint");
    }
    return Long.parseLong(name.group(group));
  }
}
