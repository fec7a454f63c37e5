package convtrain.train;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;

/**
 * Writes a file whole or not at all: to a temporary name in the same folder, forced to the disk,
 * then renamed over the target, and the renaming forced too. Of several that write one file at the
 * same time, in whatever process or container, the last stays.
 */
public final class AtomicFile {
  /** Those of any new file, less what the umask takes; a temporary file's own are the owner's. */
  private static final FileAttribute<Set<PosixFilePermission>> USUAL_PERMISSIONS =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-rw-rw-"));

  private AtomicFile() {}

  /** What puts the content into the file. */
  @FunctionalInterface
  public interface Content {
    void writeTo(FileChannel out) throws IOException;
  }

  public static void write(Path file, Content content) throws IOException {
    Path target = file.toAbsolutePath();
    // Not named by the process: in containers that share a volume each is number 1.
    Path temporary =
        Files.createTempFile(
            target.getParent(), "." + target.getFileName() + ".", ".tmp", USUAL_PERMISSIONS);
    try {
      try (FileChannel out = FileChannel.open(temporary, StandardOpenOption.WRITE)) {
        content.writeTo(out);
        out.force(true);
      }
      Files.move(temporary, target, StandardCopyOption.ATOMIC_MOVE);
      // Else the new name might not outlive a power failure.
      try (FileChannel folder = FileChannel.open(target.getParent())) {
        folder.force(true);
      }
    } finally {
      Files.deleteIfExists(temporary);
    }
  }

  public static void write(Path file, String text) throws IOException {
    write(file, out -> writeAll(out, ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8))));
  }

  /** Writes the buffer's remaining bytes, however many calls that takes. */
  static void writeAll(FileChannel out, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      out.write(bytes);
    }
  }
}
