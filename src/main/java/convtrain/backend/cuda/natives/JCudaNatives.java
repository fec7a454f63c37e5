package convtrain.backend.cuda.natives;

import convtrain.backend.BackendException;
import convtrain.backend.cuda.natives.LibrarySearch.Found;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import jcuda.JCudaVersion;
import jcuda.LibUtils;

/**
 * JCuda's own native libraries: taken from its jars into the cache folder, made to need CUDA 13's
 * names where CUDA 13's libraries were found, and loaded from there.
 *
 * <p>JCuda by itself would write them to the folder for temporary files, which all users share, and
 * would load whatever has their names there already. Here the bytes are compared first.
 */
final class JCudaNatives {
  private static final String FOLDER = "jcuda";
  private static final String TEMPORARY_FOLDER = "java.io.tmpdir";

  private final CacheFolder cache;

  JCudaNatives(CacheFolder cache) {
    this.cache = cache;
  }

  /** The file name of a component's native library, also in the jar. */
  static String fileName(Component component) {
    return LibUtils.createLibraryFileName(
        LibUtils.createPlatformLibraryName(component.nativeName() + "-" + JCudaVersion.get()));
  }

  /** The library as JCuda's jar has it. */
  static byte[] original(Component component) {
    String resource = "/lib/" + fileName(component);
    try (InputStream in = LibUtils.class.getResourceAsStream(resource)) {
      if (in == null) {
        throw new BackendException(
            "JCuda has no native library for %s %s (%s is not on the class path); CUDA training"
                    .formatted(
                        System.getProperty("os.name"), System.getProperty("os.arch"), resource)
                + " runs on Linux x86-64");
      }
      return in.readAllBytes();
    } catch (IOException e) {
      throw new BackendException(resource + " cannot be read from JCuda's jar: " + e, e);
    }
  }

  /**
   * The library as it must be to link to what was found.
   *
   * @param found the component's NVIDIA library, of whichever CUDA version
   */
  static byte[] linkedTo(Component component, Found found) {
    byte[] original = original(component);
    if (found.name().equals(component.linkedName())) {
      return original;
    }
    try {
      List<String> defined = ElfFile.read(found.file()).versionsDefined();
      if (!defined.isEmpty() && !defined.contains(found.name())) {
        throw new BackendException(
            "%s defines the symbol versions %s, expected %s among them; use CUDA 12's instead"
                .formatted(found.file(), defined, found.name()));
      }
      return ElfEdit.needing(original, component.linkedName(), found.name());
    } catch (IOException | IllegalArgumentException e) {
      throw new BackendException(
          "JCuda's %s cannot be made to link to %s: %s"
              .formatted(fileName(component), found.file(), e.getMessage()),
          e);
    }
  }

  /** Puts the library into the cache folder, where it is not there already; returns where. */
  Path place(Component component, byte[] library) {
    // The folder is named after the content, so versions and edits lie side by side.
    String file = FOLDER + "/" + sha256(library).substring(0, 16) + "/" + fileName(component);
    boolean there = cache.read(file).filter(content -> Arrays.equals(content, library)).isPresent();
    if (there || cache.write(file, library)) {
      return cache.path(file);
    }
    return temporary(component, library);
  }

  /** Where the cache folder cannot be written, as in a container without a home. */
  private Path temporary(Component component, byte[] library) {
    try {
      // Readable by its owner alone.
      Path folder = Files.createTempDirectory("convtrain-jcuda");
      Path file = Files.write(folder.resolve(fileName(component)), library);
      folder.toFile().deleteOnExit();
      file.toFile().deleteOnExit();
      return file;
    } catch (IOException e) {
      throw new BackendException(
          "neither %s nor the folder for temporary files can be written (%s);"
                  .formatted(cache.path(FOLDER), e)
              + " set CONVTRAIN_CACHE to a folder that can",
          e);
    }
  }

  /**
   * Loads the library and initialises JCuda's class.
   *
   * @param file from {@link #place}
   */
  static void initialise(Component component, Path file) {
    try {
      System.load(file.toString());
    } catch (UnsatisfiedLinkError e) {
      throw new BackendException(
          "JCuda's %s does not load: %s".formatted(fileName(component), e.getMessage()), e);
    }
    // JCuda loads a file of that name in this folder before it would write one; it is the file
    // just loaded, so that is a no-op, and its class is bound to the checked copy.
    String previous = System.setProperty(TEMPORARY_FOLDER, file.getParent().toString());
    try {
      Class.forName(component.javaClass(), true, JCudaNatives.class.getClassLoader());
    } catch (ClassNotFoundException | LinkageError e) {
      throw new BackendException(
          "JCuda's %s does not initialise: %s".formatted(component.javaClass(), e), e);
    } finally {
      System.setProperty(TEMPORARY_FOLDER, previous);
    }
  }

  private static String sha256(byte[] bytes) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
