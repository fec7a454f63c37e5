package convtrain.testing;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Libraries with the names of NVIDIA's that answer the first questions only: enough to link and to
 * be examined. Made by gcc.
 */
public final class FakeCuda {
  /**
   * A driver with {@code GPUS} devices, whose memory reads as the numbers from 1000 on, that serves
   * the CUDA version {@code SERVES}.
   */
  public static final String DRIVER =
      """
      #include <string.h>
      int cuInit(int flags) { return GPUS ? 0 : 100; }
      int cuDriverGetVersion(int *v) { *v = SERVES; return 0; }
      int cuDeviceGetCount(int *n) { *n = GPUS; return 0; }
      int cuDeviceGet(int *d, int i) { *d = i; return 0; }
      int cuDeviceGetName(char *s, int n, int d) { strncpy(s, "Fake GPU", n); return 0; }
      int cuDeviceTotalMem_v2(long *b, int d) { *b = 8L << 30; return 0; }
      int cuDeviceGetAttribute(int *v, int a, int d) { *v = a == 75 ? 9 : 0; return 0; }
      int cuDevicePrimaryCtxRetain(void **c, int d) { *c = (void *)1; return 0; }
      int cuDevicePrimaryCtxRelease_v2(int d) { return 0; }
      int cuCtxSetCurrent(void *c) { return 0; }
      int cuCtxSynchronize(void) { return 0; }
      int cuModuleLoadData(void **m, const void *image) {
        *m = (void *)1;
        return strcmp(image, "machine code") ? 200 : 0;
      }
      int cuModuleUnload(void *m) { return 0; }
      int cuModuleGetFunction(void **f, void *m, const char *name) { *f = m; return 0; }
      int cuMemAlloc_v2(void **p, long n) { *p = (void *)256; return 0; }
      int cuMemFree_v2(void *p) { return 0; }
      int cuLaunchKernel(void *f, int gx, int gy, int gz, int x, int y, int z, int shared,
                         void *stream, void **parameters, void **extra) { return 0; }
      int cuMemcpyDtoH_v2(int *to, void *from, long n) {
        for (int i = 0; i < n / 4; i++) to[i] = 1000 + i;
        return 0;
      }
      """;

  public static final String CUDNN =
      """
      long cudnnGetVersion(void) { return 90501; }
      long cudnnGetCudartVersion(void) { return BUILT_FOR; }
      int cudnnCreate(void **h) { *h = (void *)1; return 0; }
      int cudnnDestroy(void *h) { return 0; }
      const char *cudnnGetErrorString(int s) { return "CUDNN_STATUS_SUCCESS"; }
      """;

  public static final String CUBLAS =
      """
      int cublasCreate_v2(void **h) { *h = (void *)1; return 0; }
      int cublasDestroy_v2(void *h) { return 0; }
      int cublasGetVersion_v2(void *h, int *v) { *v = 130102; return 0; }
      """;

  public static final String NVRTC =
      """
      #include <string.h>
      int nvrtcVersion(int *major, int *minor) { *major = 13; *minor = 1; return 0; }
      int nvrtcCreateProgram(void **p, const char *s, const char *n, int c, void *h, void *i) {
        *p = (void *)1;
        return 0;
      }
      int nvrtcCompileProgram(void *p, int n, const char **options) {
        return n == 1 && !strcmp(options[0], "--gpu-architecture=sm_90") ? 0 : 6;
      }
      int nvrtcGetProgramLogSize(void *p, long *n) { *n = 14; return 0; }
      int nvrtcGetProgramLog(void *p, char *s) { strcpy(s, "fake: no sm_90"); return 0; }
      int nvrtcGetCUBINSize(void *p, long *n) { *n = 13; return 0; }
      int nvrtcGetCUBIN(void *p, char *s) { strcpy(s, "machine code"); return 0; }
      int nvrtcDestroyProgram(void **p) { return 0; }
      const char *nvrtcGetErrorString(int s) { return s ? "NVRTC_ERROR" : "NVRTC_SUCCESS"; }
      """;

  private FakeCuda() {}

  /** Whether libraries can be made here. */
  public static boolean canBeMade() {
    try {
      return run(List.of("gcc", "--version")).exitValue() == 0;
    } catch (IOException | InterruptedException e) {
      return false;
    }
  }

  /** Makes a driver with some GPUs and all of CUDA 13; returns their folder. */
  public static Path cuda13(Path folder, int gpus) throws IOException, InterruptedException {
    make(folder, "libcuda.so.1", DRIVER, "-DGPUS=" + gpus, "-DSERVES=13000");
    make(folder, "libcudnn.so.9", CUDNN, "-DBUILT_FOR=13000");
    make(folder, "libcublas.so.13", CUBLAS);
    make(folder, "libnvrtc.so.13", NVRTC);
    return folder;
  }

  /**
   * Makes {@code folder/name}, whose symbols have a version of that name as NVIDIA's have.
   *
   * @param options of the compiler, such as {@code -DGPUS=1}
   */
  public static Path make(Path folder, String name, String source, String... options)
      throws IOException, InterruptedException {
    Files.createDirectories(folder);
    Path text = Files.writeString(folder.resolve(name + ".c"), source);
    Path versions =
        Files.writeString(folder.resolve(name + ".map"), "%s { *; };\n".formatted(name));
    Path library = folder.resolve(name);
    List<String> command =
        new ArrayList<>(
            List.of(
                "gcc",
                "-shared",
                "-fPIC",
                "-w",
                "-Wl,-soname," + name,
                "-Wl,--version-script=" + versions,
                "-o",
                library.toString(),
                text.toString()));
    command.addAll(List.of(options));
    Process gcc = run(command);
    assertThat(gcc.exitValue())
        .as(new String(gcc.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
        .isZero();
    return library;
  }

  private static Process run(List<String> command) throws IOException, InterruptedException {
    Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
    process.waitFor();
    return process;
  }
}
