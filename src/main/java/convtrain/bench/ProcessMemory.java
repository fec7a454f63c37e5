package convtrain.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The process's memory as the system sees it. */
final class ProcessMemory {
  private static final Pattern PEAK = Pattern.compile("(?m)^VmHWM:\\s+(\\d+) kB$");

  private ProcessMemory() {}

  /** The most main memory that was resident at once, in bytes; null where it is not told. */
  static Long peakBytes() {
    try {
      return peakBytes(Files.readString(Path.of("/proc/self/status")));
    } catch (IOException e) {
      return null;
    }
  }

  /** Of a text such as Linux's {@code /proc/self/status}. */
  static Long peakBytes(String status) {
    Matcher line = PEAK.matcher(status);
    return line.find() ? Long.parseLong(line.group(1)) << 10 : null;
  }
}
