package convtrain.backend.cuda.device;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Small buffers read while steps go on. */
class CudaReadbackTest extends DeviceTest {
  private static final int N = 4;

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5})
  void copyIsOfTheRequestsMomentThoughLaterStepsWriteTheBuffer(int seed) {
    reopen("seed=" + seed);
    try (CudaBuffer x = context().allocate(N * Float.BYTES);
        CudaReadback readback = new CudaReadback(context(), x)) {
      Launch step = context().kernels().get("device_test", "twice_plus_one").launch(1L, 32, x, N);
      assertThat(readback.poll()).as("nothing was asked for").isNull();
      float expected = 0;
      for (int i = 0; i < 4; i++) {
        step.enqueue();
        expected = 2 * expected + 1;
        readback.request();
        step.enqueue();
        readback.request();
        step.enqueue();
        context().synchronize();
        ByteBuffer copy = readback.poll();
        assertThat(copy.getFloat(0)).isEqualTo(expected);
        assertThat(copy.getFloat(4 * (N - 1))).isEqualTo(expected);
        assertThat(readback.poll()).as("it was taken").isNull();
        expected = 2 * (2 * expected + 1) + 1;
      }
    }
  }

  @Test
  void closingWaitsForACopyUnderWay() {
    long before = context().allocatedBytes();
    try (CudaBuffer x = context().allocate(N * Float.BYTES)) {
      CudaReadback readback = new CudaReadback(context(), x);
      readback.request();
      readback.close();
    }
    context().synchronize();
    assertThat(context().allocatedBytes()).isEqualTo(before);
  }
}
