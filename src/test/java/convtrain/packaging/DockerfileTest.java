package convtrain.packaging;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.cli.Main;
import convtrain.packaging.Dockerfile.Copy;
import convtrain.packaging.Dockerfile.Instruction;
import convtrain.packaging.Dockerfile.Stage;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What can be told of the image without an engine to build it. */
class DockerfileTest {
  private static final Path PROJECT = Path.of("").toAbsolutePath();

  private final Dockerfile dockerfile = Dockerfile.read(PROJECT.resolve("Dockerfile"));
  private final Stage build = dockerfile.stages().get(0);
  private final Stage image = dockerfile.stages().get(dockerfile.stages().size() - 1);

  DockerfileTest() throws IOException {}

  @Test
  void baseImagesArePinnedByFullTag() {
    assertThat(dockerfile.stages())
        .allSatisfy(stage -> assertThat(stage.image()).matches(".+:\\d+\\.\\d+\\.\\d+-.+"));
    assertThat(build.image()).startsWith("maven:").endsWith("-17");
    assertThat(image.image()).matches("nvidia/cuda:12\\.6\\.\\d+-cudnn-runtime-ubuntu.*");
  }

  @Test
  void everyCopiedFileIsThereAndInTheBuildContext() throws IOException {
    List<String> kept =
        Files.readAllLines(PROJECT.resolve(".dockerignore")).stream()
            .filter(line -> line.startsWith("!"))
            .map(line -> line.substring(1))
            .toList();
    List<String> copied =
        dockerfile.stages().stream()
            .flatMap(stage -> stage.copies().stream())
            .filter(copy -> copy.from() == null)
            .flatMap(copy -> copy.sources().stream())
            .distinct()
            .toList();
    assertThat(copied).isNotEmpty().containsExactlyInAnyOrderElementsOf(kept);
    assertThat(copied).allSatisfy(source -> assertThat(PROJECT.resolve(source)).exists());
  }

  @Test
  void whatComesFromAnotherStageIsMadeThere() {
    List<Copy> made = image.copies().stream().filter(copy -> copy.from() != null).toList();
    assertThat(made).isNotEmpty();
    assertThat(made).allSatisfy(copy -> assertThat(copy.from()).isEqualTo(build.name()));
    assertThat(made.stream().flatMap(copy -> copy.sources().stream()))
        .containsExactlyInAnyOrder("/build/target/lib", "/build/target/convtrain.jar");
    assertThat(build.last("WORKDIR").words()).isEqualTo("/build");
    assertThat(build.last("RUN").words()).contains(" -Dquick ").endsWith(" package");
  }

  @Test
  void itRunsConvtrainAsAnOrdinaryUser() {
    assertThat(image.last("ENTRYPOINT").words()).isEqualTo("[\"convtrain\"]");
    assertThat(image.last("USER").words()).isNotIn("root", "0");
    assertThat(allRuns())
        .contains("useradd --create-home --uid 10001 " + image.last("USER").words())
        .contains("ln -s /opt/convtrain/scripts/convtrain /usr/local/bin/convtrain");
  }

  @Test
  void dataAndRunsAreVolumesThatTheUserMayWrite() {
    assertThat(image.last("VOLUME").words()).isEqualTo("[\"/data\", \"/runs\"]");
    String user = image.last("USER").words();
    assertThat(allRuns())
        .contains("mkdir /data /runs")
        .contains("chown " + user + ":" + user + " /data /runs")
        .contains("ln -s /data " + image.last("WORKDIR").words() + "/data")
        .contains("ln -s /runs " + image.last("WORKDIR").words() + "/runs");
  }

  /** Lays out what the image holds in a folder, and runs it there with the image's commands. */
  @Test
  void theInstalledLayoutRuns(@TempDir Path temp) throws Exception {
    Path root = temp.toRealPath();
    for (Copy copy : image.copies()) {
      for (String source : copy.sources()) {
        install(copy, source, root);
      }
    }
    Path home = root.resolve(image.last("WORKDIR").words().substring(1));
    Files.createDirectories(root.resolve("data"));
    Files.createSymbolicLink(home.resolve("data"), root.resolve("data"));
    Path bin = Files.createDirectories(root.resolve("usr/local/bin"));
    Files.createSymbolicLink(bin.resolve("convtrain"), home.resolve("scripts/convtrain"));

    assertThat(run(home, "convtrain", "--version")).startsWith("convtrain ");
    assertThat(run(home, "convtrain", "summary", "configs/mnist-19k.json")).contains("19,192");
  }

  private String allRuns() {
    return String.join("\n", image.all("RUN").stream().map(Instruction::words).toList())
        .replaceAll("\\s+", " ");
  }

  private static void install(Copy copy, String source, Path root) throws IOException {
    Path target = root.resolve(copy.target().substring(1));
    if (source.endsWith("/convtrain.jar")) {
      Files.createDirectories(target.getParent());
      jarOfThisBuild(target);
    } else if (source.endsWith("/lib")) {
      Files.createDirectories(target);
      for (Path library : librariesOfThisBuild()) {
        Files.copy(library, target.resolve(library.getFileName()));
      }
    } else {
      Path from = PROJECT.resolve(source);
      // COPY gives a folder's content, but a file by its name where the target ends with a slash.
      copyAll(from, copy.target().endsWith("/") ? target.resolve(from.getFileName()) : target);
    }
  }

  private static void copyAll(Path from, Path to) throws IOException {
    try (Stream<Path> files = Files.walk(from)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        Path target = to.resolve(from.relativize(file).toString()).normalize();
        Files.createDirectories(target.getParent());
        Files.copy(file, target);
        assertThat(target.toFile().setExecutable(Files.isExecutable(file))).isTrue();
      }
    }
  }

  private static void jarOfThisBuild(Path jar) throws IOException {
    Path classes =
        Path.of(Main.class.getProtectionDomain().getCodeSource().getLocation().getPath());
    try (OutputStream out = Files.newOutputStream(jar);
        JarOutputStream entries = new JarOutputStream(out);
        Stream<Path> files = Files.walk(classes)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        entries.putNextEntry(new JarEntry(classes.relativize(file).toString()));
        Files.copy(file, entries);
      }
    }
  }

  private static List<Path> librariesOfThisBuild() {
    return Stream.of(System.getProperty("java.class.path").split(File.pathSeparator))
        .filter(entry -> entry.endsWith(".jar"))
        .map(Path::of)
        .toList();
  }

  private static String run(Path folder, String... command) throws Exception {
    Path root = folder.getParent().getParent();
    List<String> words = new ArrayList<>(List.of(command));
    words.set(0, root.resolve("usr/local/bin").resolve(command[0]).toString());
    ProcessBuilder builder = new ProcessBuilder(words).directory(folder.toFile());
    builder.environment().clear();
    builder.environment().put("PATH", "/usr/bin:/bin");
    builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
    builder.redirectErrorStream(true);
    Process process = builder.start();
    process.getOutputStream().close();
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).as(out).isZero();
    return out;
  }
}
