package convtrain.cli;

import java.io.File;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The libraries on the class path, by the names of their files. */
final class Libraries {
  private static final Pattern JAR = Pattern.compile("(.+?)-(\\d.*)\\.jar");

  private Libraries() {}

  /** Versions by name: {@code dnnl-3.11-1.5.13.jar} is {@code dnnl}, {@code 3.11-1.5.13}. */
  static Map<String, String> versions(String classPath) {
    Map<String, String> versions = new TreeMap<>();
    for (String entry : classPath.split(File.pathSeparator)) {
      Matcher jar = JAR.matcher(String.valueOf(Path.of(entry).getFileName()));
      if (jar.matches()) {
        // The jar of a platform's natives has the platform behind the version.
        versions.merge(jar.group(1), jar.group(2), (a, b) -> a.length() <= b.length() ? a : b);
      }
    }
    return versions;
  }
}
