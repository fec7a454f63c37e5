package convtrain.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import convtrain.graph.Precision;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * NVIDIA's compiler takes every kernel, with every warning an error, for every precision and for
 * the oldest and the newest chips that we name. Optimisation is off: it finds nothing wrong, and
 * takes most of the time.
 */
class KernelsCompileTest {
  private static final Path KERNELS = Path.of("kernels").toAbsolutePath();
  private static final List<Integer> CHIPS = List.of(75, 80, 90);

  @TempDir Path folder;

  @BeforeEach
  void nvccIsThere() {
    boolean found =
        Stream.of(System.getenv().getOrDefault("PATH", "").split(File.pathSeparator))
            .anyMatch(entry -> Files.isExecutable(Path.of(entry, "nvcc")));
    assumeTrue(found, "no nvcc on the PATH: the kernels are not compiled");
  }

  @ParameterizedTest
  @EnumSource
  void everyKernelCompilesForEveryChip(Precision precision) throws Exception {
    // All files at once: starting the compiler for each alone takes five times as long.
    String all =
        kernels().stream().map(file -> "#include \"" + file + "\"\n").collect(Collectors.joining());
    Path together = Files.writeString(folder.resolve("all.cu"), all);
    int width = 16 / precision.elementBytes();
    compile(CHIPS, precision, width, List.of(together.toString()));
  }

  @Test
  void everyKernelCompilesAlone() throws Exception {
    compile(CHIPS.subList(0, 1), Precision.FP32, 1, kernels());
  }

  private static List<String> kernels() throws IOException {
    try (Stream<Path> files = Files.list(KERNELS)) {
      List<String> kernels =
          files.map(Path::toString).filter(name -> name.endsWith(".cu")).sorted().toList();
      assertThat(kernels).isNotEmpty();
      return kernels;
    }
  }

  private void compile(List<Integer> chips, Precision precision, int width, List<String> files)
      throws Exception {
    List<String> command = new ArrayList<>(List.of("nvcc", "-fatbin", "-std=c++17"));
    command.addAll(List.of("-Werror", "all-warnings", "-Xcicc", "-O0", "-Xptxas", "-O0"));
    for (int chip : chips) {
      command.add("-gencode=arch=compute_%d,code=sm_%d".formatted(chip, chip));
    }
    command.add("-DPRECISION=" + precision.ordinal());
    command.add("-DWIDTH=" + width);
    command.addAll(files);
    Path log = folder.resolve("nvcc.log");
    Process nvcc =
        new ProcessBuilder(command)
            .directory(folder.toFile())
            .redirectErrorStream(true)
            .redirectOutput(log.toFile())
            .start();
    assertThat(nvcc.waitFor()).as(Files.readString(log)).isZero();
  }
}
