package convtrain.backend.cuda.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import convtrain.backend.Timer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** On the software device, whose clock counts pieces of work. */
class CudaTimerTest extends DeviceTest {
  private static final int N = 64;

  private CudaBuffer x;
  private Launch step;

  @BeforeEach
  void onTheSoftwareDevice() {
    assumeThat(software()).as("a clock that counts pieces of work").isTrue();
  }

  @AfterEach
  void free() {
    if (x != null) {
      x.close();
    }
  }

  private void open() {
    x = context().allocate(N * Float.BYTES);
    step = context().kernels().get("device_test", "twice_plus_one").launch(1L, 64, x, N);
    step.enqueue();
    context().synchronize();
  }

  private void work(Timer timer) {
    timer.mark(0);
    step.enqueue();
    timer.mark(1);
    step.enqueue();
    step.enqueue();
    step.enqueue();
    timer.mark(2);
  }

  private void assertOneAndThree(Timer timer) {
    long one = timer.nanosBetween(0, 1);
    assertThat(one).isPositive();
    assertThat(timer.nanosBetween(1, 2)).isBetween(2 * one, 4 * one);
    assertThat(timer.nanosBetween(0, 2)).isBetween(3 * one, 5 * one);
  }

  @Test
  void timeBetweenMarksIsThatOfTheWorkBetween() {
    reopen("late=always");
    open();
    try (Timer timer = new CudaTimer(context(), 3)) {
      work(timer);
      context().synchronize();
      assertOneAndThree(timer);
    }
  }

  @Test
  void marksInACapturedStepAreSetByEachLaunch() {
    reopen("late=always");
    open();
    try (Timer timer = new CudaTimer(context(), 3);
        CudaGraph graph = CudaGraph.capture(context().stream(), () -> work(timer))) {
      for (int launch = 0; launch < 3; launch++) {
        graph.launch();
        context().synchronize();
        assertOneAndThree(timer);
      }
    }
  }
}
