package convtrain.backend.cuda.natives;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import convtrain.backend.Backend.Availability;
import convtrain.backend.BackendException;
import convtrain.testing.ChildJvm;
import convtrain.testing.FakeCuda;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NativeLibrariesTest {
  /** What the processes run: asks, loads twice, and tells which of JCuda's files are mapped. */
  static final class Loading {
    private Loading() {}

    public static void main(String[] args) throws IOException {
      PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
      String temporary = System.getProperty("java.io.tmpdir");
      Availability availability = NativeLibraries.availability();
      out.println((availability.usable() ? "usable: " : "not usable: ") + availability.why());
      try {
        NativeLibraries.load();
        NativeLibraries.load();
        out.println("loaded");
      } catch (BackendException e) {
        out.println("not loaded: " + e.getMessage());
      }
      out.println(
          "temporary folder kept: " + System.getProperty("java.io.tmpdir").equals(temporary));
      try (Stream<String> maps = Files.lines(Path.of("/proc/self/maps"))) {
        maps.map(line -> line.substring(line.lastIndexOf(' ') + 1))
            .filter(file -> file.contains("/libJ"))
            .distinct()
            .sorted()
            .forEach(out::println);
      }
    }
  }

  @TempDir Path temp;
  private Path cuda;

  @BeforeEach
  void makeLibraries() throws Exception {
    assumeTrue(FakeCuda.canBeMade(), "gcc");
    temp = temp.toRealPath();
    cuda = FakeCuda.cuda13(temp.resolve("cuda13"), 1);
  }

  @Test
  void jcudaIsLoadedFromTheCacheFolderAlone() throws Exception {
    String[] lines = load().lines().toArray(String[]::new);
    assertThat(lines)
        .startsWith(
            "usable: cuda:0 Fake GPU, compute capability 9.0, 8.0 GiB",
            "loaded",
            "temporary folder kept: true")
        .hasSize(7);
    for (int i = 3; i < lines.length; i++) {
      assertThat(Path.of(lines[i])).exists().startsWith(temp.resolve("cache/jcuda"));
    }
  }

  @Test
  void missingLibrariesAreNamedWithRemediesAndPlaces() throws Exception {
    Files.delete(cuda.resolve("libcublas.so.13"));
    Files.writeString(cuda.resolve("libcudnn.so.9"), "text");
    assertThat(load())
        .startsWith(
            """
            not usable: cuDNN 9 (libcudnn.so.9), cuBLAS (libcublas.so.12) not found; 'convtrain doctor' \
            tells what helps
            not loaded: cuDNN 9 (libcudnn.so.9), cuBLAS (libcublas.so.12) not found; any one of these helps:
                scripts/convtrain --cuda-redist  (downloads 2.0 GB once)
            """)
        .contains("\n  passed over: " + cuda + "/libcudnn.so.9: not a shared library")
        .contains("\n  looked in: CONVTRAIN_CUDA_PATH (" + cuda + ")\n");
  }

  @Test
  void aMachineWithoutGpuIsToldInOneLine() throws Exception {
    FakeCuda.make(cuda, "libcuda.so.1", FakeCuda.DRIVER, "-DGPUS=0", "-DSERVES=13000");
    assertThat(load())
        .startsWith("not usable: the driver finds no GPU (CUDA_ERROR_NO_DEVICE); see");
  }

  @Test
  void aDriverTooOldForTheLibrariesIsTold() throws Exception {
    FakeCuda.make(cuda, "libcuda.so.1", FakeCuda.DRIVER, "-DGPUS=1", "-DSERVES=12080");
    assertThat(load())
        .startsWith("not usable: the driver serves CUDA 12.8 at most, the libraries found are");
  }

  private String load() throws IOException, InterruptedException {
    Map<String, String> environment =
        Map.of(
            "CONVTRAIN_CUDA_PATH", cuda.toString(),
            "CONVTRAIN_CACHE", temp.resolve("cache").toString());
    ChildJvm.Result result = ChildJvm.run(temp, environment, Loading.class.getName());
    assertThat(result.err()).isEmpty();
    assertThat(result.status()).isZero();
    return result.out();
  }
}
