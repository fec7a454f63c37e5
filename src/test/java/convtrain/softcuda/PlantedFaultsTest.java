package convtrain.softcuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The faults that {@code src/test/native/softcuda/plant-faults} plants can be planted, and the
 * tests that they name are there. That these notice them is shown by that script, which takes
 * minutes.
 */
class PlantedFaultsTest {
  private static final Path FAULTS = Path.of("src/test/native/softcuda/faults");
  private static final Path TESTS = Path.of("src/test/java");

  @TempDir private Path temp;

  static List<Path> faults() throws IOException {
    try (Stream<Path> files = Files.list(FAULTS)) {
      return files.sorted().toList();
    }
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("faults")
  void faultFitsTheSourcesAndNamesTestsThatExist(Path fault) throws Exception {
    assertThat(fault.getFileName().toString()).matches("\\d\\d-[a-z-]+\\.patch");
    List<String> lines = Files.readAllLines(fault);
    assertThat(lines.get(0)).endsWith(".");
    assertThat(lines.get(1)).startsWith("Tests: ");
    for (String test : lines.get(1).substring("Tests: ".length()).split(",")) {
      String[] place = test.split("#");
      String source = Files.readString(source(place[0]));
      for (String method : Arrays.asList(place).subList(1, place.length)) {
        assertThat(source).as(test).contains("void " + method + "(");
      }
    }
    assertApplies(fault, lines);
  }

  private static Path source(String test) throws IOException {
    try (Stream<Path> files = Files.walk(TESTS)) {
      return files.filter(file -> file.endsWith(test + ".java")).findFirst().orElseThrow();
    }
  }

  private void assertApplies(Path fault, List<String> lines) throws Exception {
    assumeTrue(onPath("git"), "no git on the PATH: the patches are not applied");
    String changed =
        lines.stream()
            .filter(line -> line.startsWith("+++ b/"))
            .map(line -> line.substring("+++ b/".length()))
            .findFirst()
            .orElseThrow();
    Path copy = temp.resolve(changed);
    Files.createDirectories(copy.getParent());
    Files.copy(Path.of(changed), copy);
    Path log = temp.resolve("log");
    ProcessBuilder git =
        new ProcessBuilder("git", "apply", fault.toAbsolutePath().toString())
            .directory(temp.toFile())
            .redirectErrorStream(true)
            .redirectOutput(log.toFile());
    git.environment().put("GIT_CEILING_DIRECTORIES", temp.getParent().toString());
    assertThat(git.start().waitFor()).as(Files.readString(log)).isZero();
    assertThat(copy).content().isNotEqualTo(Files.readString(Path.of(changed)));
  }

  private static boolean onPath(String program) {
    return Stream.of(System.getenv().getOrDefault("PATH", "").split(File.pathSeparator))
        .anyMatch(entry -> Files.isExecutable(Path.of(entry, program)));
  }

  @Test
  void theFaultsAreNumberedFromOneOn() throws IOException {
    List<Path> faults = faults();
    assertThat(faults).hasSizeGreaterThanOrEqualTo(12);
    for (int i = 0; i < faults.size(); i++) {
      assertThat(faults.get(i).getFileName().toString()).startsWith("%02d-".formatted(i + 1));
    }
  }
}
