package convtrain.backend.cuda.device;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The text of one kernel file and of every header of ours that it includes, directly or through
 * another: from the folder {@code kernels} of the project ({@code -Dconvtrain.home}), or else from
 * the class path.
 *
 * @param name of the file, {@code batch_norm.cu}
 * @param headers text by the name that {@code #include "..."} gives
 */
record KernelSource(String name, String text, SortedMap<String, String> headers) {
  private static final Pattern INCLUDE =
      Pattern.compile("^[ \\t]*#[ \\t]*include[ \\t]*\"([^\"]+)\"", Pattern.MULTILINE);

  /**
   * Reads a kernel file.
   *
   * @param file its name without ending
   */
  static KernelSource find(String file) {
    String name = file + ".cu";
    String text = read(name, "a kernel");
    SortedMap<String, String> headers = new TreeMap<>();
    addHeaders(name, text, headers);
    return new KernelSource(name, text, headers);
  }

  private static void addHeaders(String includer, String text, SortedMap<String, String> headers) {
    Matcher includes = INCLUDE.matcher(text);
    while (includes.find()) {
      String header = includes.group(1);
      if (!headers.containsKey(header)) {
        headers.put(header, read(header, "a header of " + includer));
        addHeaders(header, headers.get(header), headers);
      }
    }
  }

  private static String read(String name, String role) {
    String home = System.getProperty("convtrain.home");
    Path file = home == null ? null : Path.of(home, "kernels", name);
    try {
      if (file != null && Files.exists(file)) {
        return Files.readString(file);
      }
      try (InputStream in = KernelSource.class.getResourceAsStream("/kernels/" + name)) {
        if (in != null) {
          return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        }
      }
    } catch (IOException e) {
      throw new CudaException("kernels/%s (%s) cannot be read: %s".formatted(name, role, e), 0);
    }
    throw new CudaException(
        "kernels/%s (%s) is neither under convtrain.home=%s nor on the class path"
            .formatted(name, role, home),
        0);
  }
}
