package convtrain.backend.cuda.device;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.backend.BackendException;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.cuda.natives.CacheFolder;
import convtrain.backend.cuda.natives.NativeLibraries;
import convtrain.softcuda.SoftCuda;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** A context of its own for each test, with an empty cache; skipped where no device is. */
abstract class DeviceTest {
  @TempDir Path cacheFolder;

  private CudaContext context;

  @BeforeAll
  static void loadLibraries() {
    try {
      NativeLibraries.load();
    } catch (BackendException e) {
      Assumptions.abort("no CUDA device here: " + e.getMessage());
    }
  }

  @BeforeEach
  void openContext() {
    context = open();
  }

  /** Closes the test's context; on the software device nothing is left and no rule was broken. */
  @AfterEach
  void closeContext() {
    if (context != null) {
      context.close();
      context = null;
      if (software()) {
        assertThat(SoftCuda.violations()).isEmpty();
        assertThat(SoftCuda.leaks()).isEmpty();
      }
    }
  }

  /**
   * A context over the test's cache.
   *
   * @param control how the software device behaves, see {@link SoftCuda#control}
   */
  private CudaContext open(String... control) {
    if (software()) {
      SoftCuda.control(control);
    }
    return new CudaContext(true, new CacheFolder(cacheFolder));
  }

  /** Whether the device is that of the tests, which can be told what to do. */
  static boolean software() {
    return SoftCuda.unavailable().isEmpty();
  }

  CudaContext context() {
    return context;
  }

  /** Closes the test's context and opens another one over the same cache. */
  CudaContext reopen(String... control) {
    closeContext();
    context = open(control);
    return context;
  }

  static ByteBuffer host(int bytes) {
    return ByteBuffer.allocate(bytes).order(ByteOrder.nativeOrder());
  }

  static float[] floats(DeviceBuffer buffer) {
    ByteBuffer bytes = host((int) buffer.bytes());
    buffer.read(0, bytes);
    float[] values = new float[bytes.capacity() / Float.BYTES];
    bytes.asFloatBuffer().get(values);
    return values;
  }
}
