package convtrain.backend.cuda.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import convtrain.backend.cuda.natives.CacheFolder;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Kernels are compiled once, kept on disk, and launched with frozen arguments. */
class KernelsTest extends DeviceTest {
  private static final int N = 1000;

  private static float[] filled(CudaContext context, String... defines) {
    Kernel kernel = context.kernels().get("device_test", "fill", defines);
    try (CudaBuffer out = context.allocate(N * Float.BYTES)) {
      kernel.launch(4L, 256, out, N, 2.5f).enqueue();
      return floats(out);
    }
  }

  private List<Path> kept() throws IOException {
    try (Stream<Path> files = Files.walk(cacheFolder)) {
      return files.filter(Files::isRegularFile).sorted().toList();
    }
  }

  @Test
  void kernelsComputeWithTheirDefines() {
    float[] plain = filled(context());
    float[] scaled = filled(context(), "SCALE=3");
    for (int i = 0; i < N; i++) {
      assertThat(plain[i]).isEqualTo(2.5f + i);
      assertThat(scaled[i]).isEqualTo(7.5f + i);
    }
    assertThat(context().kernels().compilations()).isEqualTo(2);
    filled(context(), "SCALE=3");
    assertThat(context().kernels().compilations()).as("the same again").isEqualTo(2);
  }

  @Test
  void nextContextTakesTheKernelFromTheCache() {
    float[] first = filled(context());
    CudaContext next = reopen();
    assertThat(filled(next)).isEqualTo(first);
    assertThat(next.kernels().compilations()).isZero();
  }

  @Test
  void corruptCacheEntryIsCompiledAnew() throws IOException {
    float[] first = filled(context());
    assertThat(kept()).hasSize(1);
    byte[] content = Files.readAllBytes(kept().get(0));
    for (int length : new int[] {content.length, 32, 5, 0}) {
      byte[] damaged = ByteBuffer.allocate(length).put(content, 0, length).array();
      if (length == content.length) {
        damaged[length / 2] ^= 1;
      }
      Files.write(kept().get(0), damaged);
      CudaContext next = reopen();
      assertThat(filled(next)).isEqualTo(first);
      assertThat(next.kernels().compilations()).isEqualTo(1);
      assertThat(Files.readAllBytes(kept().get(0)))
          .as("the entry is whole again")
          .hasSize(content.length);
    }
  }

  @Test
  void withoutAFolderToWriteToKernelsAreCompiledEachTime(@TempDir Path folder) throws IOException {
    closeContext();
    Path file = Files.writeString(folder.resolve("file"), "in the way");
    for (int i = 0; i < 2; i++) {
      try (CudaContext next = new CudaContext(true, new CacheFolder(file.resolve("cache")))) {
        assertThat(filled(next)[0]).isEqualTo(2.5f);
        assertThat(next.kernels().compilations()).isEqualTo(1);
      }
    }
  }

  @Test
  void changedHeaderIsCompiledAnew(@TempDir Path home) throws IOException {
    Path kernels = Files.createDirectories(home.resolve("kernels"));
    Path header = kernels.resolve("own.cuh");
    Files.writeString(
        kernels.resolve("own.cu"),
        "#include \"own.cuh\"\nextern \"C\" __global__ void give(float* out) { out[0] = VALUE; }\n");
    Files.writeString(header, "#define VALUE 1.0f\n");
    withHome(home, () -> assertThat(given(context())).isEqualTo(1));
    Files.writeString(header, "#define VALUE 2.0f\n");
    withHome(home, () -> assertThat(given(reopen())).isEqualTo(2));
  }

  private static float given(CudaContext context) {
    try (CudaBuffer out = context.allocate(Float.BYTES)) {
      context.kernels().get("own", "give").launch(1L, 1, out).enqueue();
      return floats(out)[0];
    }
  }

  @Test
  void compileErrorShowsTheCompilersWords(@TempDir Path home) throws IOException {
    Path kernels = Files.createDirectories(home.resolve("kernels"));
    Files.writeString(
        kernels.resolve("own.cu"), "extern \"C\" __global__ void give() { undeclared = 1; }\n");
    withHome(
        home,
        () ->
            assertThatThrownBy(() -> context().kernels().get("own", "give", "X=1"))
                .isInstanceOf(CudaException.class)
                .hasMessageContaining("kernels/own.cu does not compile with")
                .hasMessageContaining("-DX=1")
                .hasMessageContaining("undeclared"));
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"nvrtcCreateProgram", "nvrtcCompileProgram", "nvrtcGetCUBINSize", "nvrtcGetCUBIN"})
  void failureOfTheCompilerNamesItsCallAndTheNextCompilationSucceeds(String call) {
    assumeTrue(software(), "failures are injected by the software device");
    CudaContext next = reopen("fail=" + call + ":1:11");
    assertThatThrownBy(() -> filled(next))
        .isInstanceOf(CudaException.class)
        .hasMessage(call + ": NVRTC_ERROR_INTERNAL_ERROR");
    assertThat(filled(next)[0]).isEqualTo(2.5f);
  }

  @Test
  void missingFilesAndFunctionsAreNamed(@TempDir Path home) throws IOException {
    assertThatThrownBy(() -> context().kernels().get("device_test", "no_such_kernel"))
        .isInstanceOf(CudaException.class)
        .hasMessageContaining("device_test.no_such_kernel")
        .hasMessageContaining("CUDA_ERROR_NOT_FOUND");
    Path kernels = Files.createDirectories(home.resolve("kernels"));
    Files.writeString(kernels.resolve("own.cu"), "#include \"lost.cuh\"\n");
    withHome(
        home,
        () -> {
          assertThatThrownBy(() -> context().kernels().get("lost", "give"))
              .hasMessageStartingWith("kernels/lost.cu (a kernel) is neither under");
          assertThatThrownBy(() -> context().kernels().get("own", "give"))
              .hasMessageStartingWith("kernels/lost.cuh (a header of own.cu) is neither under");
        });
  }

  private static void withHome(Path home, Runnable body) {
    String before = System.getProperty("convtrain.home");
    System.setProperty("convtrain.home", home.toString());
    try {
      body.run();
    } finally {
      if (before == null) {
        System.clearProperty("convtrain.home");
      } else {
        System.setProperty("convtrain.home", before);
      }
    }
  }

  @Test
  void launchHandsOverArgumentsOfEveryType() {
    Kernel kernel = context().kernels().get("device_test", "arguments");
    try (CudaBuffer out = context().allocate(7 * Double.BYTES)) {
      long large = (1L << 52) + 1;
      Object[] arguments = {out, null, large, -7, 0.1f, 0.1};
      kernel.launch(1, 2, 3, 4, 5, 6, 16, arguments).enqueue();
      ByteBuffer read = host(7 * Double.BYTES);
      out.read(0, read);
      double[] found = new double[7];
      read.asDoubleBuffer().get(found);
      assertThat(found).containsExactly(1, large, -7, 0.1f, 0.1, 123, 456);
    }
  }

  @Test
  void launchesKeepTheirArgumentsWhileOthersAreMadeAndCollected() {
    Kernel kernel = context().kernels().get("device_test", "fill");
    try (CudaBuffer out = context().allocate(64)) {
      Launch kept = kernel.launch(1L, 32, out.slice(0, 4), 1, 5f);
      for (int i = 0; i < 2000; i++) {
        kernel.launch(1L, 32, out.slice(4, 4), 1, -1f);
        if (i % 500 == 0) {
          System.gc();
        }
      }
      kept.enqueue();
      kept.enqueue();
      assertThat(floats(out)[0]).isEqualTo(5);
      assertThat(kept)
          .hasToString("device_test.fill, grid 1 x 1 x 1, block 32 x 1 x 1, 3 arguments");
    }
  }

  @Test
  void wrongLaunchesAreRefusedByName() {
    Kernel kernel = context().kernels().get("device_test", "fill");
    assertThatThrownBy(() -> kernel.launch(1L, 32, "text"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(
            "device_test.fill: an argument of type String; expected CudaBuffer, Long, Integer, Float or Double");
    assertThatThrownBy(() -> kernel.launch(0L, 32))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("a grid of 0 x 1 x 1");
    assertThatThrownBy(() -> kernel.launch(1L, 1025))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("a block of 1025 x 1 x 1");
  }
}
