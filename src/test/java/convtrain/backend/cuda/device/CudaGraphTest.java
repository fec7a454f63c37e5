package convtrain.backend.cuda.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

/** Captured work does what the same work does eagerly. */
class CudaGraphTest extends DeviceTest {
  private static final int N = 300;
  private static final int STEPS = 5;

  private Launch[] step(CudaBuffer x) {
    Kernel twicePlusOne = context().kernels().get("device_test", "twice_plus_one");
    return new Launch[] {
      twicePlusOne.launch(2L, 256, x, N), twicePlusOne.launch(10L, 32, x, N),
    };
  }

  private static void enqueue(Launch[] step) {
    for (Launch launch : step) {
      launch.enqueue();
    }
  }

  @Test
  void replayEqualsEager() {
    try (CudaBuffer eager = context().allocate(N * Float.BYTES);
        CudaBuffer replayed = context().allocate(N * Float.BYTES)) {
      Launch[] eagerStep = step(eager);
      Launch[] capturedStep = step(replayed);
      try (CudaGraph graph = CudaGraph.capture(context().stream(), () -> enqueue(capturedStep))) {
        assertThat(floats(replayed)).as("capturing runs nothing").containsOnly(0);
        for (int i = 0; i < STEPS; i++) {
          enqueue(eagerStep);
          graph.launch();
        }
        assertThat(graph.nodes()).isEqualTo(2);
      }
      assertThat(floats(replayed)).isEqualTo(floats(eager)).containsOnly(1023);
    }
  }

  @Test
  void streamWorksOnAfterACaptureThatFailed() {
    try (CudaBuffer x = context().allocate(N * Float.BYTES)) {
      Launch[] step = step(x);
      assertThatThrownBy(
              () ->
                  CudaGraph.capture(
                      context().stream(),
                      () -> {
                        enqueue(step);
                        throw new IllegalArgumentException("in the middle");
                      }))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("in the middle");
      enqueue(step);
      assertThat(floats(x)).containsOnly(3);
    }
  }
}
