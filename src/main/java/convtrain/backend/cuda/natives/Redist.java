package convtrain.backend.cuda.natives;

import convtrain.backend.BackendException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Properties;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;

/**
 * NVIDIA's libraries as a jar of org.bytedeco brings them, for machines with a driver and no CUDA:
 * unpacks those that training needs into the cache folder, where they are found from then on.
 */
public final class Redist {
  private static final Pattern NEEDED =
      Pattern.compile("org/bytedeco/cuda/linux-x86_64/(lib(cudnn|cublas|nvrtc)[^/]*\\.so\\.[^/]+)");

  private static final String ABOUT = "META-INF/maven/org.bytedeco/cuda/pom.properties";

  /** Left over on the disk at least. */
  private static final long SPARE_BYTES = 64L << 20;

  /**
   * What was done.
   *
   * @param fresh whether the libraries were unpacked now, not found unpacked
   */
  public record Unpacked(Path folder, int libraries, long bytes, boolean fresh) {}

  private Redist() {}

  /** Unpacks into the user's cache folder. */
  public static Unpacked unpack(Path jar) {
    return unpack(jar, CacheFolder.ofUser());
  }

  /**
   * Unpacks into {@code cuda-redist/VERSION} of the cache folder, whole or not at all. Does nothing
   * where that folder is; another process that unpacks is waited for.
   *
   * @throws BackendException if the jar is not the right one or damaged, or the disk too small
   */
  static Unpacked unpack(Path jar, CacheFolder cache) {
    try (ZipFile zip = new ZipFile(jar.toFile())) {
      List<ZipEntry> entries = needed(zip);
      if (entries.isEmpty()) {
        throw new BackendException(
            jar
                + " holds none of NVIDIA's libraries; expected"
                + " cuda-VERSION-linux-x86_64-redist.jar of org.bytedeco");
      }
      Path parent = Files.createDirectories(cache.path(LibrarySearch.REDIST));
      Path folder = parent.resolve(version(zip, jar));
      try (FileChannel lock =
              FileChannel.open(
                  cache.path(LibrarySearch.REDIST + ".lock"),
                  StandardOpenOption.CREATE,
                  StandardOpenOption.WRITE);
          FileLock held = lock.lock()) {
        boolean fresh = held.isValid() && !Files.isDirectory(folder);
        if (fresh) {
          unpack(zip, entries, folder);
        }
        return new Unpacked(folder, entries.size(), bytes(entries), fresh);
      }
    } catch (ZipException e) {
      throw new BackendException(
          "%s is damaged (%s); delete it and bring it again".formatted(jar, e.getMessage()), e);
    } catch (IOException e) {
      throw new BackendException("%s cannot be unpacked: %s".formatted(jar, e), e);
    }
  }

  private static void unpack(ZipFile zip, List<ZipEntry> entries, Path folder) throws IOException {
    Path unfinished = unfinished(folder);
    // What a process that was killed left there.
    delete(unfinished);
    Files.createDirectories(unfinished);
    try {
      expectSpace(
          Math.addExact(bytes(entries), SPARE_BYTES),
          Files.getFileStore(unfinished).getUsableSpace(),
          folder);
      for (ZipEntry entry : entries) {
        copy(zip, entry, unfinished.resolve(fileName(entry)));
      }
      Files.move(unfinished, folder, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      delete(unfinished);
    }
  }

  static void expectSpace(long wantedBytes, long freeBytes, Path folder) {
    if (freeBytes < wantedBytes) {
      throw new BackendException(
          "unpacking takes %s in %s, where %s are free; free some, or set CONVTRAIN_CACHE to a folder"
                  .formatted(gigabytes(wantedBytes), folder, gigabytes(freeBytes))
              + " on another disk");
    }
  }

  /** Beside the folder's parent, so that the search never sees it. */
  private static Path unfinished(Path folder) {
    Path parent = folder.getParent();
    return parent.resolveSibling(parent.getFileName() + ".unfinished");
  }

  private static void copy(ZipFile zip, ZipEntry entry, Path file) throws IOException {
    CRC32 checksum = new CRC32();
    try (InputStream in = new CheckedInputStream(zip.getInputStream(entry), checksum)) {
      Files.copy(in, file);
    }
    if (checksum.getValue() != entry.getCrc()) {
      throw new ZipException("wrong checksum of " + entry.getName());
    }
  }

  private static List<ZipEntry> needed(ZipFile zip) {
    return zip.stream()
        .map(ZipEntry.class::cast)
        .filter(entry -> NEEDED.matcher(entry.getName()).matches())
        .toList();
  }

  private static String fileName(ZipEntry entry) {
    return entry.getName().substring(entry.getName().lastIndexOf('/') + 1);
  }

  private static long bytes(List<ZipEntry> entries) {
    return entries.stream().mapToLong(ZipEntry::getSize).sum();
  }

  private static String version(ZipFile zip, Path jar) throws IOException {
    ZipEntry about = zip.getEntry(ABOUT);
    Properties properties = new Properties();
    if (about != null) {
      try (InputStream in = zip.getInputStream(about)) {
        properties.load(in);
      }
    }
    String version = properties.getProperty("version", "");
    if (!version.matches("[0-9][0-9.-]*")) {
      throw new BackendException(jar + " does not tell its version; it is not org.bytedeco's");
    }
    return version;
  }

  /** For people: {@code 1.6 GB}. */
  public static String gigabytes(long bytes) {
    return String.format(Locale.ROOT, "%.1f GB", bytes / 1e9);
  }

  private static void delete(Path folder) throws IOException {
    if (Files.isDirectory(folder)) {
      try (Stream<Path> files = Files.walk(folder)) {
        for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
          Files.delete(file);
        }
      }
    }
  }
}
