package convtrain.config;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** A small run file that loads, for tests to vary. */
final class RunFile {
  static final String TEXT = resource("/config/run.json").strip();

  private RunFile() {}

  static String resource(String name) {
    try (InputStream in = RunFile.class.getResourceAsStream(name)) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static RunConfig load(Path folder, String text, String... overrides) {
    try {
      Path file = Files.writeString(folder.resolve("run.json"), text);
      return RunConfigLoader.load(file, List.of(overrides));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
