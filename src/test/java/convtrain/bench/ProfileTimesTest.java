package convtrain.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

/** Figures that stand for a series. */
class ProfileTimesTest {
  @Test
  void oneSlowStepMovesTheMeanAndNotTheMedian() {
    long[] nanos = LongStream.rangeClosed(1, 20).map(i -> i * 1_000_000).toArray();
    nanos[19] = 1_000_000_000;
    ProfileTimes times = ProfileTimes.of(nanos);
    assertThat(times.median()).isEqualTo(10.5);
    assertThat(times.mean()).isCloseTo(59.5, within(1e-9));
    assertThat(times.min()).isEqualTo(1);
    assertThat(times.p95()).isEqualTo(19);
    assertThat(times.max()).isEqualTo(1000);
  }

  @Test
  void deviationIsThatOfTheSample() {
    assertThat(ProfileTimes.of(new long[] {1_000_000, 2_000_000, 3_000_000}).standardDeviation())
        .isCloseTo(1, within(1e-12));
    assertThat(ProfileTimes.of(new long[] {7_000_000}))
        .isEqualTo(new ProfileTimes(7, 7, 7, 7, 7, 0));
  }
}
