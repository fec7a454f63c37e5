package convtrain.softcuda;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.testing.ChildJvm;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUfunction;
import jcuda.driver.JCudaDriver;
import jcuda.jcublas.JCublas2;
import jcuda.jcublas.cublasHandle;
import jcuda.jcudnn.JCudnn;
import jcuda.nvrtc.JNvrtc;
import jcuda.nvrtc.nvrtcProgram;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What ends a process that uses the software device: seen from outside of it. */
class SoftCudaProcessTest {
  /** The exit status of the dynamic loader that finds no function of a name. */
  private static final int NO_SYMBOL = 127;

  @TempDir private Path folder;

  @BeforeEach
  void needsTheDevice() {
    SoftCuda.assumeAvailable();
  }

  private ChildJvm.Result child(Class<?> main, String... arguments) throws Exception {
    Map<String, String> environment = new TreeMap<>(System.getenv());
    environment.put("SOFTCUDA_CONTROL", folder.resolve("control").toString());
    environment.put("SOFTCUDA_LOG", folder.resolve("log").toString());
    return ChildJvm.run(folder, environment, main.getName(), arguments);
  }

  /** Calls a function that the backend does not call. */
  static final class Stranger {
    private Stranger() {}

    public static void main(String[] arguments) {
      switch (arguments[0]) {
        case "cuMemAllocManaged" -> JCudaDriver.cuMemAllocManaged(new CUdeviceptr(), 4, 1);
        case "cudnnGetProperty" -> JCudnn.cudnnGetProperty(0, new int[1]);
        case "cublasSdot_v2" ->
            JCublas2.cublasSdot(
                new cublasHandle(),
                1,
                new CUdeviceptr(),
                1,
                new CUdeviceptr(),
                1,
                new CUdeviceptr());
        case "nvrtcAddNameExpression" -> JNvrtc.nvrtcAddNameExpression(new nvrtcProgram(), "name");
        default -> throw new IllegalArgumentException(arguments[0]);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "cuMemAllocManaged",
        "cudnnGetProperty",
        "cublasSdot_v2",
        "nvrtcAddNameExpression"
      })
  void functionThatTheBackendDoesNotCallEndsTheProcessWithItsName(String function)
      throws Exception {
    ChildJvm.Result result = child(Stranger.class, function);
    assertThat(result.err()).contains("undefined symbol: " + function);
    assertThat(result.status()).isEqualTo(NO_SYMBOL);
  }

  /** Hands over device memory where the driver reads a list in host memory. */
  static final class HostReader {
    private HostReader() {}

    public static void main(String[] arguments) {
      DriverFixture cuda = new DriverFixture();
      String source = "extern \"C\" __global__ void set(float* x) { x[0] = 1; }";
      CUfunction set = DriverFixture.function(cuda.module(source), "set");
      CUdeviceptr x = cuda.device(1f, 2f);
      System.out.println("allocated");
      JCudaDriver.cuLaunchKernel(set, 1, 1, 1, 1, 1, 1, 0, cuda.stream, x, null);
      System.out.println("read");
    }
  }

  @Test
  void hostThatReadsDeviceMemoryIsStopped() throws Exception {
    ChildJvm.Result result = child(HostReader.class);
    assertThat(result.out()).startsWith("allocated").doesNotContain("read\n").contains("SIGSEGV");
    assertThat(result.status()).isNotZero();
  }
}
