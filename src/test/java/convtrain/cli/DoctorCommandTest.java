package convtrain.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import convtrain.testing.ChildJvm;
import convtrain.testing.ChildJvm.Result;
import convtrain.testing.FakeCuda;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs doctor in processes of their own, since a process loads a library once. */
class DoctorCommandTest {
  @TempDir Path temp;

  @Test
  void withoutLibrariesItExitsWith1AndTellsTheRemedies() throws Exception {
    Path empty = Files.createDirectories(temp.resolve("empty"));
    Result result = doctor(Map.of("CONVTRAIN_CUDA_PATH", empty.toString()));
    assertThat(result.status()).isEqualTo(1);
    assertThat(result.err()).isEmpty();
    assertThat(result.out())
        .contains("libcudnn.so.9    missing")
        .contains("cuDNN 9 (libcudnn.so.9), cuBLAS (libcublas.so.12), NVRTC (libnvrtc.so.12) not")
        .contains("    scripts/convtrain --cuda-redist  (downloads 2.0 GB once)\n")
        .contains("    pip install nvidia-cudnn-cu12 nvidia-cublas-cu12 nvidia-cuda-nvrtc-cu12")
        .contains("    apt install libcudnn9-cuda-12 libcublas-12-6 cuda-nvrtc-12-6")
        .endsWith("Training on the GPU does not work here; training on the CPU does.\n");
  }

  @Test
  void withoutADriverItTellsHowToInstallOne() throws Exception {
    assumeTrue(
        Stream.of("/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib/wsl/lib")
            .noneMatch(folder -> Files.exists(Path.of(folder, "libcuda.so.1"))),
        "a machine without a GPU driver");
    Result result = doctor(Map.of());
    assertThat(result.status()).isEqualTo(1);
    assertThat(result.out())
        .startsWith("driver: none\n")
        .contains("libcuda.so.1     missing")
        .contains("- no GPU driver (libcuda.so.1 not found); install NVIDIA's driver (Debian:")
        .contains("driver finds a GPU       skipped");
  }

  @Test
  void withCuda13AndAGpuEverythingWorksThroughEditedNatives() throws Exception {
    Path cuda = cuda13(1);
    Result result = doctor(Map.of("CONVTRAIN_CUDA_PATH", cuda.toString()));
    assertThat(result.out())
        .contains("GPU:    cuda:0 Fake GPU, compute capability 9.0, 8.0 GiB\n")
        .contains("libcudnn.so.9    ok  9.5.1    " + cuda)
        .contains("libcublas.so.13  ok  13.1.2   " + cuda)
        .contains("libnvrtc.so.13   ok  13.1     " + cuda)
        .contains("kernel runs              ok  and writes what it should\n")
        .endsWith("\nTraining on the GPU works.\n");
    assertThat(result.status()).isZero();
  }

  @Test
  void librariesOfTwoFoldersAndDependenciesBetweenThemAreFound() throws Exception {
    Path cuda = cuda13(1);
    Path other = temp.resolve("other");
    Path part = FakeCuda.make(other, "libcublasLt.so.13", "int cublasLtFake(void) { return 0; }");
    FakeCuda.make(
        cuda,
        "libcublas.so.13",
        FakeCuda.CUBLAS + "int use(void) { return cublasLtFake(); }",
        part.toString());
    Result result = doctor(Map.of("CONVTRAIN_CUDA_PATH", cuda + ":" + other));
    assertThat(result.out()).contains("libcublasLt.so.13  ok  -        " + part);
    assertThat(result.status()).isZero();

    Files.delete(part);
    Result missing = doctor(Map.of("CONVTRAIN_CUDA_PATH", cuda + ":" + other));
    assertThat(missing.status()).isEqualTo(1);
    assertThat(missing.out())
        .contains("libcublas.so.13    failed")
        .contains("libcublasLt.so.13  missing")
        .contains("libcublasLt.so.13: cannot open shared object file");
  }

  @Test
  void aDriverWithoutGpuIsNamedAndTheRestIsStillTried() throws Exception {
    Path cuda = cuda13(0);
    Result result = doctor(Map.of("CONVTRAIN_CUDA_PATH", cuda.toString()), "--json");
    assertThat(result.status()).isEqualTo(1);
    assertThat(result.out())
        .contains("\"usable\" : false")
        .contains("the driver finds no GPU (CUDA_ERROR_NO_DEVICE); see whether nvidia-smi lists")
        .contains("NVRTC compiles a kernel: nvrtcCompileProgram: NVRTC_ERROR fake: no sm_90")
        .contains("\"found_by\" : \"CONVTRAIN_CUDA_PATH\"")
        .contains("\"version\" : \"9.5.1\"");
  }

  @Test
  void aDriverTooOldForTheLibrariesAndACudnnOfAnotherVersionAreTold() throws Exception {
    Path cuda = cuda13(1);
    FakeCuda.make(cuda, "libcuda.so.1", FakeCuda.DRIVER, "-DGPUS=1", "-DSERVES=12040");
    FakeCuda.make(cuda, "libcudnn.so.9", FakeCuda.CUDNN, "-DBUILT_FOR=12060");
    Result result = doctor(Map.of("CONVTRAIN_CUDA_PATH", cuda.toString()));
    assertThat(result.status()).isEqualTo(1);
    assertThat(result.out())
        .contains("driver: serves CUDA up to 12.4\n")
        .contains("the driver serves CUDA 12.4 at most, the libraries found are CUDA 13's; update")
        .contains("cuDNN was built for CUDA 12, but only CUDA 13's cuBLAS and NVRTC were found");
  }

  @Test
  void theLibrariesOfTheCudaThatCudnnWasBuiltForArePreferred() throws Exception {
    Path cuda = cuda13(1);
    FakeCuda.make(cuda, "libcublas.so.12", FakeCuda.CUBLAS);
    FakeCuda.make(cuda, "libnvrtc.so.12", FakeCuda.NVRTC);
    assertThat(doctor(Map.of("CONVTRAIN_CUDA_PATH", cuda.toString())).out())
        .contains("libcublas.so.13  ok")
        .contains("libnvrtc.so.13   ok");
    FakeCuda.make(cuda, "libcudnn.so.9", FakeCuda.CUDNN, "-DBUILT_FOR=12060");
    assertThat(doctor(Map.of("CONVTRAIN_CUDA_PATH", cuda.toString())).out())
        .contains("libcublas.so.12  ok")
        .contains("libnvrtc.so.12   ok");
  }

  @Test
  void aLibraryOfAnotherSymbolVersionIsNotLinkedTo() throws Exception {
    Path cuda = cuda13(1);
    FakeCuda.make(temp.resolve("odd"), "libcublas.so.99", FakeCuda.CUBLAS);
    Files.copy(
        temp.resolve("odd/libcublas.so.99"),
        cuda.resolve("libcublas.so.13"),
        StandardCopyOption.REPLACE_EXISTING);
    Result result = doctor(Map.of("CONVTRAIN_CUDA_PATH", cuda.toString()));
    assertThat(result.status()).isEqualTo(1);
    assertThat(result.out())
        .contains("defines the symbol versions [libcublas.so.99], expected libcublas.so.13 among");
  }

  @Test
  void theLoadersPathComesBeforeOtherPlaces() throws Exception {
    Path cuda = cuda13(1);
    Path toolkit = Files.createDirectories(temp.resolve("toolkit/lib64"));
    Files.copy(cuda.resolve("libcudnn.so.9"), toolkit.resolve("libcudnn.so.9"));
    Result result =
        doctor(
            Map.of(
                "LD_LIBRARY_PATH", cuda.toString(), "CUDA_HOME", toolkit.getParent().toString()));
    assertThat(result.out()).contains(cuda.resolve("libcudnn.so.9") + " (LD_LIBRARY_PATH)");
  }

  private Path cuda13(int gpus) throws IOException, InterruptedException {
    assumeTrue(FakeCuda.canBeMade(), "gcc");
    return FakeCuda.cuda13(temp.resolve("cuda13"), gpus);
  }

  private Result doctor(Map<String, String> variables, String... options)
      throws IOException, InterruptedException {
    Map<String, String> environment = new TreeMap<>(variables);
    environment.put("CONVTRAIN_CACHE", temp.resolve("cache").toString());
    String[] words = Stream.concat(Stream.of("doctor"), Stream.of(options)).toArray(String[]::new);
    return ChildJvm.run(temp, environment, "convtrain.cli.Main", words);
  }
}
