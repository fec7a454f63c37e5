package convtrain.train;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.config.EarlyStopping;
import convtrain.config.Monitor;
import convtrain.config.ScheduleSpec.ReduceOnPlateau;
import convtrain.config.ScheduleSpec.ReduceOnPlateau.ThresholdMode;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** What follows from the epochs' numbers: plateaus, patience, the best epoch. */
class WatchersTest {
  private static final double[] VALUES = {
    1.0, 0.9, 0.95, 0.9, 0.8999, 0.91, 0.92, 0.93, 0.5, 0.6, 0.61, 0.62, 0.63, 0.64, 0.65, 0.4,
    0.41, 0.42
  };

  private static EpochRecord epoch(int number, double value) {
    return new EpochRecord(
        number, 100, number, 0.1, value, value, value, value, 1, 1, 1, value, value);
  }

  private static double[] rates(ReduceOnPlateau rule, Monitor monitor) {
    Plateau plateau = new Plateau(rule, monitor, 0.1);
    return Arrays.stream(VALUES)
        .map(
            value -> {
              plateau.add(epoch(1, value));
              return plateau.lr();
            })
        .toArray();
  }

  /** The expected rates are those of PyTorch 1.13's ReduceLROnPlateau. */
  @Test
  void plateausLowerTheRateAsInPyTorch() {
    ReduceOnPlateau rule = new ReduceOnPlateau(0.5, 1, null, null, null, null, null, null);
    assertThat(rates(rule, Monitor.VALIDATION_LOSS))
        .containsExactly(
            0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.025, 0.025, 0.025, 0.025, 0.0125, 0.0125, 0.00625,
            0.00625, 0.003125, 0.003125, 0.003125, 0.0015625);
  }

  @Test
  void absoluteThresholdCooldownAndLeastRateAreAsInPyTorch() {
    ReduceOnPlateau rule = new ReduceOnPlateau(0.1, 2, 0.05, ThresholdMode.ABS, 2, 0.002, null, 0);
    double low = 0.010000000000000002;
    assertThat(rates(rule, Monitor.TRAIN_LOSS))
        .containsExactly(
            0.1, 0.1, 0.1, 0.1, low, low, low, low, low, low, low, 0.002, 0.002, 0.002, 0.002,
            0.002, 0.002, 0.002);
  }

  @Test
  void anAccuracyImprovesByGrowingAsInPyTorch() {
    ReduceOnPlateau rule = new ReduceOnPlateau(0.5, 0, 0.01, null, 1, null, null, null);
    assertThat(rates(rule, Monitor.TEST_ACCURACY))
        .containsExactly(
            0.1,
            0.05,
            0.05,
            0.025,
            0.025,
            0.0125,
            0.0125,
            0.00625,
            0.00625,
            0.003125,
            0.003125,
            0.0015625,
            0.0015625,
            0.00078125,
            0.00078125,
            0.000390625,
            0.000390625,
            0.0001953125);
  }

  @Test
  void trainingStopsAfterSoManyEpochsWithoutImprovement() {
    Stagnation stagnation = new Stagnation(new EarlyStopping(2, 0.1), Monitor.VALIDATION_LOSS);
    double[] losses = {1.0, 0.8, 0.75, 0.65, 0.6, 0.56};
    boolean[] over = {false, false, false, false, false, true};
    for (int i = 0; i < losses.length; i++) {
      stagnation.add(epoch(i + 1, losses[i]));
      assertThat(stagnation.isOver()).as("after epoch %d", i + 1).isEqualTo(over[i]);
    }
  }

  @Test
  void withoutARuleTrainingNeverStopsEarly() {
    Stagnation stagnation = new Stagnation(null, Monitor.VALIDATION_LOSS);
    for (int i = 1; i < 50; i++) {
      stagnation.add(epoch(i, 1));
    }
    assertThat(stagnation.isOver()).isFalse();
  }

  @Test
  void theBestEpochIsTheFirstOfEquals() {
    BestEpoch least = new BestEpoch(Monitor.VALIDATION_LOSS);
    BestEpoch most = new BestEpoch(Monitor.VALIDATION_ACCURACY);
    double[] values = {0.5, 0.2, 0.9, 0.9, 0.2};
    for (int i = 0; i < values.length; i++) {
      least.add(epoch(i + 1, values[i]));
      most.add(epoch(i + 1, values[i]));
    }
    assertThat(least.get().epoch()).isEqualTo(2);
    assertThat(most.get().epoch()).isEqualTo(3);
  }
}
