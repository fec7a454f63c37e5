package convtrain.bench;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.train.EpochRecord;
import convtrain.train.TrainListener;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class TimeToAccuracyTest {
  private static EpochRecord epoch(int number, double testAccuracy) {
    return new EpochRecord(
        number, 9, number, 0.1, 0.5, 0.9, 0.4, testAccuracy, 2, 1, 100, null, null);
  }

  @Test
  void theGoalIsReachedAtTheFirstEpochThatIsGoodEnough() {
    List<Integer> told = new ArrayList<>();
    TrainListener next =
        new TrainListener() {
          @Override
          public void epoch(EpochRecord epoch) {
            told.add(epoch.epoch());
          }

          @Override
          public void step(int epoch, long step, long steps, double loss, double accuracy) {
            told.add((int) (100 + step));
          }
        };
    TimeToAccuracy.Goal goal = new TimeToAccuracy.Goal(99, next, new StartUp(() -> 0, 0));
    assertThat(goal.isReached()).isFalse();
    goal.epoch(epoch(1, 0.9811));
    assertThat(goal.isReached()).isFalse();
    goal.step(2, 7, 9, 0, 1);
    assertThat(goal.isReached()).as("training accuracy does not count").isFalse();
    goal.epoch(epoch(2, 0.9899));
    assertThat(goal.isReached()).isFalse();
    goal.epoch(epoch(3, 0.99));
    assertThat(goal.isReached()).isTrue();
    assertThat(told).as("passed on").containsExactly(1, 107, 2, 3);
  }

  /** What the trainer does before it asks again whether to stop does not count. */
  @Test
  void theProcessIsTimedUntilTheAccuracyIsKnown() {
    AtomicLong now = new AtomicLong();
    TrainListener next =
        new TrainListener() {
          @Override
          public void epoch(EpochRecord epoch) {
            now.addAndGet(1_000_000_000L);
          }
        };
    TimeToAccuracy.Goal goal =
        new TimeToAccuracy.Goal(99, next, new StartUp(now::get, -2_000_000_000L));
    now.set(1_000_000_000L);
    goal.epoch(epoch(1, 0.98));
    assertThat(goal.processSeconds()).isEqualTo(3);
    now.set(6_000_000_000L);
    goal.epoch(epoch(2, 0.99));
    now.set(20_000_000_000L);
    assertThat(goal.processSeconds()).isEqualTo(8);
  }

  /** 100 * 0.994 is a little less than 99.4 in binary. */
  @ParameterizedTest
  @CsvSource({
    "9940, 99.4, true",
    "9939, 99.4, false",
    "9900, 99, true",
    "9899, 99, false",
    "10000, 100, true",
    "9999, 100, false"
  })
  void oneImageDecides(int right, double percent, boolean reached) {
    assertThat(TimeToAccuracy.reaches(right / 10_000.0, percent)).isEqualTo(reached);
  }
}
