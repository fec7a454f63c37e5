package convtrain.backend.cuda.natives;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * Folders of NVIDIA's libraries that pip and conda keep in Python environments: {@code
 * site-packages/nvidia/PACKAGE/lib}, which is {@code nvidia/cu13/lib} for CUDA 13, and conda's
 * {@code lib}.
 */
final class PythonFolders {
  /** Tells the folders of packages and imports nothing large; the user's own counts if it is on. */
  private static final String ASK =
      "import site, sys; print('\\n'.join([p for p in sys.path if p.endswith('-packages')]"
          + " + site.getsitepackages() + [site.getusersitepackages()]))";

  /** From a cold disk, or over a network, Python starts slowly. */
  private static final int PATIENCE_SECONDS = 30;

  private PythonFolders() {}

  /** Of the environment that is active, of the python3 on the path, of the system. */
  static List<Path> find(Map<String, String> environment, Path root) {
    List<Path> packages = new ArrayList<>();
    List<Path> folders = new ArrayList<>();
    for (String name : List.of("VIRTUAL_ENV", "CONDA_PREFIX")) {
      String prefix = environment.getOrDefault(name, "");
      if (!prefix.isEmpty()) {
        folders.add(Path.of(prefix, "lib"));
        packages.addAll(below(Path.of(prefix, "lib"), "python3*", "site-packages"));
      }
    }
    ask(environment).forEach(packages::add);
    String home = environment.getOrDefault("HOME", "");
    if (!home.isEmpty()) {
      packages.addAll(below(Path.of(home, ".local/lib"), "python3*", "site-packages"));
    }
    packages.addAll(below(root.resolve("usr/local/lib"), "python3*", "dist-packages"));
    packages.add(root.resolve("usr/lib/python3/dist-packages"));
    packages.forEach(folder -> folders.addAll(below(folder.resolve("nvidia"), "*", "lib")));
    return folders.stream().distinct().filter(Files::isDirectory).toList();
  }

  /** {@code folder/PATTERN/name}, newer versions first. */
  private static List<Path> below(Path folder, String pattern, String name) {
    List<Path> found = new ArrayList<>();
    try (Stream<Path> entries = Files.list(folder)) {
      entries
          .filter(entry -> entry.getFileName().toString().startsWith(pattern.replace("*", "")))
          .sorted(Comparator.comparing(Path::toString).reversed())
          .map(entry -> entry.resolve(name))
          .filter(Files::isDirectory)
          .forEach(found::add);
    } catch (IOException e) {
      return List.of();
    }
    return found;
  }

  private static List<Path> ask(Map<String, String> environment) {
    Optional<Path> program =
        Stream.of(environment.getOrDefault("PATH", "").split(":"))
            .map(folder -> Path.of(folder, "python3"))
            .filter(file -> file.isAbsolute() && Files.isExecutable(file))
            .findFirst();
    if (program.isEmpty()) {
      return List.of();
    }
    ProcessBuilder builder = new ProcessBuilder(program.get().toString(), "-c", ASK);
    builder.environment().clear();
    builder.environment().putAll(environment);
    builder.redirectError(ProcessBuilder.Redirect.DISCARD);
    try {
      Process python = builder.start();
      python.getOutputStream().close();
      if (!python.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        python.destroyForcibly();
        return List.of();
      }
      if (python.exitValue() != 0) {
        return List.of();
      }
      String said = new String(python.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      return said.lines().filter(line -> !line.isBlank()).map(Path::of).toList();
    } catch (IOException | InvalidPathException e) {
      return List.of();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return List.of();
    }
  }
}
