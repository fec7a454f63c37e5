package convtrain.backend.cuda.device;

import convtrain.backend.cuda.natives.CacheFolder;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;

/**
 * Compiled kernels on disk, each under the SHA-256 of all it was made from. A file begins with the
 * SHA-256 of what follows, so that a damaged one is not loaded but made anew.
 */
final class KernelCache {
  private final CacheFolder folder;

  KernelCache(CacheFolder folder) {
    this.folder = folder;
  }

  /**
   * The file that belongs to a compilation.
   *
   * @param options all given to the compiler, the architecture among them
   */
  static String file(KernelSource source, List<String> options, String compilerVersion) {
    MessageDigest digest = Sha256.start();
    add(digest, compilerVersion);
    options.forEach(option -> add(digest, option));
    add(digest, source.name());
    add(digest, source.text());
    source
        .headers()
        .forEach(
            (name, text) -> {
              add(digest, name);
              add(digest, text);
            });
    return "kernels/" + HexFormat.of().formatHex(digest.digest()) + ".bin";
  }

  /** With a length before each part, so that no two lists of parts look alike. */
  private static void add(MessageDigest digest, String part) {
    byte[] bytes = part.getBytes(StandardCharsets.UTF_8);
    digest.update((bytes.length + ":").getBytes(StandardCharsets.US_ASCII));
    digest.update(bytes);
  }

  /** The module kept there, if it is there and whole. */
  Optional<byte[]> read(String file) {
    return folder.read(file).flatMap(KernelCache::checked);
  }

  private static Optional<byte[]> checked(byte[] content) {
    if (content.length <= Sha256.BYTES) {
      return Optional.empty();
    }
    byte[] module = Arrays.copyOfRange(content, Sha256.BYTES, content.length);
    byte[] digest = Arrays.copyOf(content, Sha256.BYTES);
    return Arrays.equals(Sha256.of(module), digest) ? Optional.of(module) : Optional.empty();
  }

  /** Keeps a module; where nothing can be written, the next run compiles again. */
  void write(String file, byte[] module) {
    byte[] content = Arrays.copyOf(Sha256.of(module), Sha256.BYTES + module.length);
    System.arraycopy(module, 0, content, Sha256.BYTES, module.length);
    folder.write(file, content);
  }
}
