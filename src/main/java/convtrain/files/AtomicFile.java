package convtrain.files;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.FileSystemException;
import java.nio.file.FileSystemLoopException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Writes a file whole or not at all: to a temporary name in the same folder, forced to the disk,
 * then renamed over the target, and the renaming forced too. Of several that write one file at the
 * same time, in whatever process or container, the last stays. A link stays, and what it leads to
 * is written; into a pipe or a device, such as {@code /dev/stdout}, the content goes as it comes.
 */
public final class AtomicFile {
  /** Those of any new file, less what the umask takes; a temporary file's own are the owner's. */
  private static final FileAttribute<Set<PosixFilePermission>> USUAL_PERMISSIONS =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-rw-rw-"));

  private static final Pattern TEMPORARY = Pattern.compile("\\.(.+)\\.\\d+\\.tmp");

  /** As many as Linux follows. */
  private static final int MOST_LINKS = 40;

  private AtomicFile() {}

  /** What puts the content into the file. */
  @FunctionalInterface
  public interface Content {
    void writeTo(FileChannel out) throws IOException;
  }

  /**
   * Writes a file.
   *
   * @throws IOException naming the file
   */
  public static void write(Path file, Content content) throws IOException {
    try {
      writeWhole(file, content);
    } catch (FileSystemException e) {
      // It names its file.
      throw e;
    } catch (IOException e) {
      throw new IOException(file + ": " + e.getMessage(), e);
    }
  }

  private static void writeWhole(Path file, Content content) throws IOException {
    if (isStream(file)) {
      try (FileChannel out = FileChannel.open(file, StandardOpenOption.APPEND)) {
        content.writeTo(out);
      }
      return;
    }
    Path target = target(file);
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

  public static void write(Path file, byte[] content) throws IOException {
    write(file, out -> writeAll(out, ByteBuffer.wrap(content)));
  }

  public static void write(Path file, String text) throws IOException {
    write(file, text.getBytes(StandardCharsets.UTF_8));
  }

  /** Writes the buffer's remaining bytes, however many calls that takes. */
  public static void writeAll(FileChannel out, ByteBuffer bytes) throws IOException {
    while (bytes.hasRemaining()) {
      out.write(bytes);
    }
  }

  /**
   * Why {@link #write} would fail, as far as can be told before; null if nothing is in its way. To
   * be asked before long work whose result is to be written.
   */
  public static String obstacle(Path file) throws IOException {
    if (Files.isDirectory(file)) {
      return "is a folder; give a file";
    }
    if (isStream(file)) {
      return Files.isWritable(file) ? null : "cannot be written; give another file";
    }
    Path folder = target(file).getParent();
    if (!Files.isDirectory(folder)) {
      return "would lie in " + folder + ", which is no folder; make it, or give another file";
    }
    return Files.isWritable(folder)
        ? null
        : "would lie in " + folder + ", where you may not write; give another file";
  }

  /**
   * Removes what writers that were killed left of files in a folder. No other process may be
   * writing one of them.
   *
   * @param names of the files
   */
  public static void removeLeftovers(Path folder, Pattern names) throws IOException {
    try (DirectoryStream<Path> files = Files.newDirectoryStream(folder, ".*.tmp")) {
      for (Path file : files) {
        Matcher name = TEMPORARY.matcher(file.getFileName().toString());
        if (name.matches() && names.matcher(name.group(1)).matches()) {
          Files.deleteIfExists(file);
        }
      }
    }
  }

  /**
   * Whether the bytes go to whoever has the file open. So it is with a regular file too that is
   * named by its descriptor: standard output goes on in it after us.
   */
  private static boolean isStream(Path file) throws IOException {
    return Files.exists(file) && (!Files.isRegularFile(file) || target(file).startsWith("/proc"));
  }

  /** The file at the end of the links, which need not exist; a descriptor's as it is named. */
  private static Path target(Path file) throws IOException {
    Path target = file.toAbsolutePath();
    for (int links = 0; Files.isSymbolicLink(target); links++) {
      if (links == MOST_LINKS) {
        throw new FileSystemLoopException(file.toString());
      }
      if (target.getParent().toRealPath().startsWith("/proc")) {
        return target.getParent().toRealPath().resolve(target.getFileName());
      }
      target = target.resolveSibling(Files.readSymbolicLink(target));
    }
    return target;
  }
}
