package convtrain.backend.cuda.natives;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Map;
import java.util.Optional;
import java.util.function.UnaryOperator;

/**
 * What is kept between runs: {@code $CONVTRAIN_CACHE}, else {@code $XDG_CACHE_HOME/convtrain}, else
 * {@code ~/.cache/convtrain}. Whatever cannot be read or written there is made anew, so nothing
 * here throws.
 */
public final class CacheFolder {
  /** Held while a file is changed. */
  private static final String LOCK = ".lock";

  private final Path folder;

  public CacheFolder(Path folder) {
    this.folder = folder.toAbsolutePath();
  }

  /** The user's. */
  public static CacheFolder ofUser() {
    return of(System.getenv());
  }

  static CacheFolder of(Map<String, String> environment) {
    String own = environment.getOrDefault("CONVTRAIN_CACHE", "");
    if (!own.isEmpty()) {
      return new CacheFolder(Path.of(own));
    }
    String shared = environment.getOrDefault("XDG_CACHE_HOME", "");
    Path base =
        shared.isEmpty() ? Path.of(System.getProperty("user.home"), ".cache") : Path.of(shared);
    return new CacheFolder(base.resolve("convtrain"));
  }

  /** The content of a file in it, if it is there and can be read. */
  public Optional<byte[]> read(String file) {
    try {
      return Optional.of(Files.readAllBytes(folder.resolve(file)));
    } catch (IOException e) {
      return Optional.empty();
    }
  }

  /**
   * Writes a file whole or not at all: under a name of its own, then renamed.
   *
   * @return whether it is there now
   */
  public boolean write(String file, byte[] content) {
    Path target = folder.resolve(file);
    try {
      Files.createDirectories(target.getParent());
      Path temporary = Files.createTempFile(target.getParent(), ".new", ".tmp");
      try {
        Files.write(temporary, content);
        Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
      } finally {
        Files.deleteIfExists(temporary);
      }
      return true;
    } catch (IOException | UnsupportedOperationException e) {
      return false;
    }
  }

  /**
   * Changes a file so that nothing that another process writes meanwhile is lost.
   *
   * @param change of the file's content, empty if it is not there or cannot be read; what it gives
   *     is written, unless it is what it was given
   * @return whether it is there now; false, and nothing is changed, where files cannot be locked
   */
  public boolean update(String file, UnaryOperator<byte[]> change) {
    // The system's lock is between processes; within one, Java refuses a second.
    synchronized (CacheFolder.class) {
      try {
        Files.createDirectories(folder);
        try (FileChannel channel =
                FileChannel.open(
                    folder.resolve(LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
            FileLock lock = channel.lock()) {
          byte[] before = read(file).orElse(new byte[0]);
          byte[] after = change.apply(before);
          return lock.isValid() && (after == before || write(file, after));
        }
      } catch (IOException | UnsupportedOperationException e) {
        return false;
      }
    }
  }

  /** Where a file of it lies. */
  public Path path(String file) {
    return folder.resolve(file);
  }
}
