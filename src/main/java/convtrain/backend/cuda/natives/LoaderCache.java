package convtrain.backend.cuda.natives;

import java.io.IOException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Map;

/**
 * The list of libraries that {@code ldconfig} keeps for the dynamic loader, {@code
 * /etc/ld.so.cache}. Read here since the loader itself cannot be asked where a name leads to, and
 * {@code ldconfig} is not on every user's path.
 */
final class LoaderCache {
  private static final byte[] MAGIC = "glibc-ld.so.cache1.1".getBytes(StandardCharsets.US_ASCII);
  private static final int HEADER_BYTES = 48;
  private static final int ENTRY_BYTES = 24;

  /** Flags of a glibc library for x86-64. */
  private static final int X86_64 = 0x0303;

  private LoaderCache() {}

  /** Paths by file name; empty where there is no such list or its form is unknown. */
  static Map<String, Path> read(Path file) {
    try {
      return parse(Files.readAllBytes(file));
    } catch (IOException | BufferUnderflowException | IndexOutOfBoundsException e) {
      return Map.of();
    }
  }

  private static Map<String, Path> parse(byte[] bytes) {
    int start = start(bytes);
    Map<String, Path> paths = new HashMap<>();
    if (start < 0) {
      return paths;
    }
    ByteBuffer list =
        ByteBuffer.wrap(bytes, start, bytes.length - start).slice().order(ByteOrder.LITTLE_ENDIAN);
    int count = list.getInt(MAGIC.length);
    for (int i = 0; i < count; i++) {
      int entry = HEADER_BYTES + i * ENTRY_BYTES;
      if (list.getInt(entry) == X86_64) {
        // The list is in the loader's order: the first of a name is the one it takes.
        paths.putIfAbsent(
            text(list, list.getInt(entry + 4)), Path.of(text(list, list.getInt(entry + 8))));
      }
    }
    return paths;
  }

  /** Old systems put a list in an older form before this one. */
  private static int start(byte[] bytes) {
    for (int at = 0; at + MAGIC.length <= bytes.length; at++) {
      if (bytes[at] == MAGIC[0]
          && Arrays.equals(bytes, at, at + MAGIC.length, MAGIC, 0, MAGIC.length)) {
        return at;
      }
    }
    return -1;
  }

  private static String text(ByteBuffer list, int start) {
    int end = start;
    while (list.get(end) != 0) {
      end++;
    }
    byte[] bytes = new byte[end - start];
    list.get(start, bytes);
    return new String(bytes, StandardCharsets.UTF_8);
  }
}
