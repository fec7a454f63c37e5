package convtrain.softcuda;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.cli.Main;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What building the software device makes, and where it does not come. */
class SoftCudaBuildTest {
  private static final String BUILD = "src/test/native/softcuda/build.sh";
  private static final Path ENGINE = Path.of("src/main/java");

  /** What JCuda's natives call for a method of another name. */
  private static final Set<String> CALLED_BY_JCUDA =
      Set.of("cuGraphInstantiateWithFlags", "nvrtcGetProgramLogSize", "nvrtcGetPTXSize");

  @TempDir private Path temp;

  private static String output(ProcessBuilder builder) throws IOException, InterruptedException {
    Process process = builder.redirectErrorStream(true).start();
    String out = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor()).as(out).isZero();
    return out;
  }

  /** A PATH with these programs alone. */
  private String path(String... programs) throws IOException {
    Path folder = Files.createDirectory(temp.resolve("bin"));
    String everywhere = System.getenv("PATH");
    for (String program : programs) {
      String call = "#!/bin/sh\nPATH='%s' exec %s \"$@\"\n".formatted(everywhere, program);
      Path file = Files.writeString(folder.resolve(program), call);
      assertThat(file.toFile().setExecutable(true)).isTrue();
    }
    return folder.toString();
  }

  @Test
  void withoutACompilerTheBuildSucceedsAndTheDeviceSaysWhyItIsNotThere() throws Exception {
    Path out = temp.resolve("softcuda");
    ProcessBuilder build = new ProcessBuilder("/bin/sh", BUILD, out.toString());
    build.environment().put("PATH", path("dirname", "mkdir", "uname", "rm", "cat"));
    output(build);
    assertThat(SoftCuda.unavailable(out))
        .isEqualTo("no C++ compiler: install g++ for the software CUDA device");
  }

  private static Path library(String name) {
    SoftCuda.assumeAvailable();
    return Path.of(System.getenv("SOFTCUDA_CONTROL")).resolveSibling(name);
  }

  @ParameterizedTest
  @CsvSource({
    "libcuda.so.1, ''",
    "libnvrtc.so.12, libnvrtc.so.12",
    "libcudnn.so.9, libcudnn.so.9",
    "libcublas.so.12, libcublas.so.12"
  })
  void librariesHaveTheNamesAndVersionsThatJCudaIsLinkedTo(String name, String version)
      throws Exception {
    Path library = library(name);
    String dynamic = output(new ProcessBuilder("readelf", "-W", "-d", library.toString()));
    assertThat(dynamic).contains("Library soname: [" + name + "]");
    String versions = output(new ProcessBuilder("readelf", "-W", "-V", library.toString()));
    if (version.isEmpty()) {
      assertThat(versions).doesNotContain(".gnu.version_d");
    } else {
      assertThat(versions).contains("Name: " + version);
    }
  }

  /** So that whatever else is called ends the process with its name. */
  @ParameterizedTest
  @ValueSource(strings = {"libcuda.so.1", "libnvrtc.so.12", "libcudnn.so.9", "libcublas.so.12"})
  void everyFunctionIsOneThatTheBackendCalls(String name) throws Exception {
    String symbols =
        output(
            new ProcessBuilder(
                "nm", "-D", "--defined-only", "--format=posix", library(name).toString()));
    String engine = engine();
    Set<String> uncalled = new TreeSet<>();
    for (String line : symbols.split("\n")) {
      String function = line.split("[ @]")[0];
      String called = function.replaceFirst("_v[23]$", "");
      if (function.matches("(cu|cudnn|cublas|nvrtc)[A-Z].*")
          && !CALLED_BY_JCUDA.contains(function)
          && !engine.matches("(?s).*\\b" + called + "(_new)?\\(.*")) {
        uncalled.add(function);
      }
    }
    assertThat(symbols).contains(" T ");
    assertThat(uncalled).isEmpty();
  }

  private static String engine() throws IOException {
    try (Stream<Path> files = Files.walk(ENGINE)) {
      StringBuilder all = new StringBuilder();
      for (Path file : files.filter(Files::isRegularFile).sorted().toList()) {
        all.append(Files.readString(file));
      }
      return all.toString();
    }
  }

  @Test
  void nothingThatAUserGetsKnowsTheDevice() throws Exception {
    Path classes = Path.of(Main.class.getProtectionDomain().getCodeSource().getLocation().toURI());
    assertThat(filesOf(classes))
        .isNotEmpty()
        .noneMatch(name -> name.contains("softcuda") || name.contains(".so"));
    for (String file : List.of("scripts/convtrain", "scripts/bundle", "Dockerfile")) {
      assertThat(Files.readString(Path.of(file))).as(file).doesNotContainIgnoringCase("softcuda");
    }
    assertThat(engine()).doesNotContainIgnoringCase("softcuda");
  }

  private static Set<String> filesOf(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      return files.map(file -> folder.relativize(file).toString()).collect(Collectors.toSet());
    }
  }
}
