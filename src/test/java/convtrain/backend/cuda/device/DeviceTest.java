package convtrain.backend.cuda.device;

import convtrain.backend.BackendException;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.cuda.natives.CacheFolder;
import convtrain.backend.cuda.natives.NativeLibraries;
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

  @AfterEach
  void closeContext() {
    if (context != null) {
      context.close();
    }
  }

  /** Another context over the same cache; close the one before first. */
  CudaContext open() {
    return new CudaContext(true, new CacheFolder(cacheFolder));
  }

  CudaContext context() {
    return context;
  }

  /** Closes the test's context and opens another one over the same cache. */
  CudaContext reopen() {
    context.close();
    context = null;
    context = open();
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
