package convtrain.graph;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import convtrain.testing.ReferenceDropout;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class DropoutDrawTest {
  private static final long SEED = 0x1234_5678_9abc_def0L;
  private static final int LAYER = 5;

  @ParameterizedTest
  @ValueSource(doubles = {0, 0.04, 0.35, 0.5, 0.8, 0.999})
  void whatFallsIsTheReferences(double p) {
    int groups = 500;
    DropoutDraw draw = new DropoutDraw(SEED, LAYER, p);
    long[] r01 = new long[groups];
    long[] r23 = new long[groups];
    Shape group = Shape.image(DropoutDraw.GROUP, 1, 1);
    for (int batch : new int[] {0, 9, -1}) {
      double[] factors = ReferenceDropout.factors(SEED, batch, LAYER, p, groups, group);
      draw.blocks(batch, 0, groups, r01, r23);
      for (int g = 0; g < groups; g++) {
        int fallen = draw.fallen(batch, g, r01[g], r23[g], new int[4]);
        for (int i = 0; i < DropoutDraw.GROUP; i++) {
          double factor = (fallen >>> i & 1) == 1 ? 0 : DropoutDraw.scale(p);
          assertThat(factor)
              .as("batch %d, group %d, element %d", batch, g, i)
              .isCloseTo(factors[g * DropoutDraw.GROUP + i], within(1e-4));
        }
      }
    }
  }

  @Test
  void thresholdsAreTheTailsOfTheDistribution() {
    double scale = Math.pow(2, 32);
    assertThat(DropoutDraw.thresholds(1, 0.3)).containsExactly(Math.round(0.3 * scale));
    assertThat(DropoutDraw.thresholds(3, 0.5)).containsExactly(7L << 29, 4L << 29, 1L << 29);
    assertThat(DropoutDraw.thresholds(2, 0.1))
        .containsExactly(Math.round(0.19 * scale), Math.round(0.01 * scale));
    assertThat(DropoutDraw.thresholds(32, 0)).containsOnly(0);
  }

  @ParameterizedTest
  @ValueSource(doubles = {1e-9, 0.04, 0.25, 0.5})
  void thresholdsKeepTheMean(double q) {
    long[] thresholds = DropoutDraw.thresholds(32, q);
    double mean = Arrays.stream(thresholds).sum() / Math.pow(2, 32);
    assertThat(mean / 32).isCloseTo(q, within(Math.pow(2, -33)));
    assertThat(Arrays.stream(thresholds)).allMatch(t -> t >>> 32 == 0);
  }

  @Test
  void thresholdsAboveAHalfDoNotFitAWord() {
    assertThatThrownBy(() -> DropoutDraw.thresholds(32, 0.51))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("q=0.51");
  }
}
