package convtrain.train;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.backend.Readback;
import convtrain.backend.StepMetrics;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ProgressTest {
  private final Copies copies = new Copies();
  private final List<String> told = new ArrayList<>();
  private long nanos;

  private final Progress progress =
      new Progress(
          copies,
          (epoch, step, metrics) -> told.add(epoch + "/" + step + ": " + metrics.samples()),
          () -> nanos);

  /** Copies as a GPU makes them: one at a time, of the moment it was asked for, there later. */
  private static final class Copies implements Readback {
    private final ByteBuffer copy =
        ByteBuffer.allocate(StepMetrics.BYTES).order(ByteOrder.nativeOrder());
    private boolean underWay;
    private boolean late = true;
    private boolean closed;
    private long samples;

    @Override
    public void request() {
      if (!underWay) {
        underWay = true;
        copy.putLong(StepMetrics.SAMPLES, samples);
      }
    }

    @Override
    public ByteBuffer poll() {
      if (late || !underWay) {
        return null;
      }
      underWay = false;
      return copy;
    }

    @Override
    public void close() {
      closed = true;
    }
  }

  /** A step of one sample, a tenth of a second after the one before. */
  private void step(int step) {
    nanos += 100_000_000;
    copies.samples = step;
    progress.stepDone(step);
  }

  @Test
  void numbersAreToldWithTheStepTheyAreOf() {
    progress.begin(1);
    step(1);
    step(2);
    assertThat(told).as("the copy is under way").isEmpty();
    copies.late = false;
    step(3);
    assertThat(told).as("and then the next one, at once").containsExactly("1/1: 1", "1/3: 3");
    copies.late = true;
    step(4);
    copies.late = false;
    step(5);
    assertThat(told).containsExactly("1/1: 1", "1/3: 3", "1/4: 4", "1/5: 5");
  }

  @Test
  void aCopyFromBeforeTheEpochIsDropped() {
    progress.begin(1);
    step(9);
    progress.begin(2);
    copies.late = false;
    step(1);
    assertThat(told).containsExactly("2/1: 1");
  }

  @Test
  void tenTimesASecondIsEnough() {
    copies.late = false;
    progress.begin(1);
    for (int step = 1; step <= 35; step++) {
      nanos += 10_000_000;
      progress.stepDone(step);
    }
    assertThat(told).containsExactly("1/10: 0", "1/20: 0", "1/30: 0");
  }

  @Test
  void theReadbackIsClosedWithIt() {
    progress.close();
    assertThat(copies.closed).isTrue();
  }
}
