package convtrain.backend.cuda.device;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.graph.Precision;
import convtrain.testing.RealCuda;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** NVIDIA's run-time compiler takes every kernel as the backend gives it, for every precision. */
@Tag(RealCuda.TAG)
@EnabledIfSystemProperty(named = RealCuda.PROPERTY, matches = ".+")
class RealNvrtcTest {
  private static final List<Integer> CAPABILITIES = List.of(75, 80, 90);

  /** Of chips that this NVRTC does not know yet. */
  private static final int NEWER = 990;

  @BeforeAll
  static void load() {
    RealCuda.load();
  }

  static List<String> kernels() throws IOException {
    try (Stream<Path> files = Files.list(Path.of("kernels"))) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.endsWith(".cu"))
          .map(name -> name.substring(0, name.length() - ".cu".length()))
          .sorted()
          .toList();
    }
  }

  @ParameterizedTest
  @MethodSource("kernels")
  void everyKernelCompilesToMachineCodeAndNewerChipsGetPtx(String kernel) {
    KernelSource source = KernelSource.find(kernel);
    for (Precision precision : Precision.values()) {
      for (int capability : CAPABILITIES) {
        assertThat(compile(source, precision, capability))
            .as("%s, %s, compute capability %d", kernel, precision, capability)
            .startsWith(0x7f, 'E', 'L', 'F');
      }
    }
    String ptx = new String(compile(source, Precision.FP32, NEWER), StandardCharsets.US_ASCII);
    assertThat(ptx).contains(".target sm_90").contains(".visible .entry ").endsWith("\0");
  }

  private static byte[] compile(KernelSource source, Precision precision, int capability) {
    KernelCompiler compiler = new KernelCompiler(capability);
    return compiler.compile(
        source,
        List.of(
            "--gpu-architecture=" + compiler.architecture(),
            "--std=c++17",
            "--generate-line-info",
            "-DPRECISION=" + precision.ordinal(),
            "-DWIDTH=" + 16 / precision.elementBytes()));
  }
}
