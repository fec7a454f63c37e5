package convtrain.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** What this machine's processor says of itself. */
public final class CpuFlags {
  private CpuFlags() {}

  /** Whether {@code /proc/cpuinfo} lists an extension, such as {@code avx512_bf16}. */
  public static boolean has(String flag) {
    try {
      return Files.readAllLines(Path.of("/proc/cpuinfo")).stream()
          .filter(line -> line.startsWith("flags"))
          .anyMatch(line -> List.of(line.split("\\s+")).contains(flag));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
