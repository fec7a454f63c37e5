package convtrain.backend.cuda.device;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Optional;

/**
 * Where compiled kernels and measured choices are kept between runs: {@code $CONVTRAIN_CACHE}, else
 * {@code $XDG_CACHE_HOME/convtrain}, else {@code ~/.cache/convtrain}. Whatever cannot be read or
 * written there is made anew, so nothing here throws.
 */
public final class CacheFolder {
  private final Path folder;

  public CacheFolder(Path folder) {
    this.folder = folder;
  }

  /** The user's. */
  public static CacheFolder ofUser() {
    String own = System.getenv("CONVTRAIN_CACHE");
    if (own != null && !own.isEmpty()) {
      return new CacheFolder(Path.of(own));
    }
    String shared = System.getenv("XDG_CACHE_HOME");
    Path base =
        shared != null && !shared.isEmpty()
            ? Path.of(shared)
            : Path.of(System.getProperty("user.home"), ".cache");
    return new CacheFolder(base.resolve("convtrain"));
  }

  /** The content of a file in it, if it is there and can be read. */
  Optional<byte[]> read(String file) {
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
  boolean write(String file, byte[] content) {
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

  /** Where a file of it lies, for messages. */
  Path path(String file) {
    return folder.resolve(file);
  }
}
