package convtrain.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Collections;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class EpochTimesTest {
  @Test
  void medianOfAnOddNumberIsTheMiddleOne() {
    EpochTimes times = EpochTimes.of(List.of(5.0, 1.0, 3.0));
    assertThat(times.median()).isEqualTo(3);
    assertThat(times.min()).isEqualTo(1);
    assertThat(times.p95()).isEqualTo(5);
    assertThat(times.each()).as("in the order they ran").containsExactly(5.0, 1.0, 3.0);
  }

  @Test
  void medianOfAnEvenNumberIsTheMeanOfTheMiddleTwo() {
    assertThat(EpochTimes.of(List.of(4.0, 1.0, 2.0, 9.0)).median()).isEqualTo(3);
  }

  /** 19 of 20 are 95 %; of 21 it takes 20. */
  @Test
  void ninetyFifthPercentileLeavesOutOneOfTwenty() {
    assertThat(EpochTimes.of(shuffledTo(20)).p95()).isEqualTo(19);
    assertThat(EpochTimes.of(shuffledTo(21)).p95()).isEqualTo(20);
    assertThat(EpochTimes.of(shuffledTo(19)).p95()).isEqualTo(19);
    assertThat(EpochTimes.of(shuffledTo(40)).p95()).isEqualTo(38);
    assertThat(EpochTimes.of(List.of(7.0)).p95()).isEqualTo(7);
  }

  private static List<Double> shuffledTo(int n) {
    List<Double> values =
        IntStream.rangeClosed(1, n).mapToObj(i -> (double) i).collect(Collectors.toList());
    Collections.shuffle(values, new java.util.Random(1));
    return values;
  }

  @Test
  void noEpochsHaveNoTimes() {
    assertThatThrownBy(() -> EpochTimes.of(List.of())).hasMessageContaining("at least one");
  }
}
