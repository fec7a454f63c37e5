package convtrain.graph;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.function.DoubleUnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Shares follow their Beta distribution, rectangles their shares. */
class MixDrawTest {
  private static final Shape IMAGE = Shape.image(1, 20, 30);
  private static final int DRAWS = 20_000;

  @Test
  void quantilesAreThoseOfDistributionsWithAFormula() {
    check(1, p -> p);
    check(0.5, p -> Math.pow(Math.sin(Math.PI * p / 2), 2));
    double[] two = Beta.quantiles(2, 1024);
    for (int i = 1; i < 1024; i++) {
      assertThat(3 * two[i] * two[i] - 2 * Math.pow(two[i], 3))
          .isCloseTo(i / 1024.0, within(1e-12));
    }
  }

  private static void check(double alpha, DoubleUnaryOperator quantile) {
    double[] found = Beta.quantiles(alpha, 1024);
    assertThat(found[0]).isCloseTo(quantile.applyAsDouble(0x1p-14), within(1e-12));
    assertThat(found[1024]).isEqualTo(1 - found[0]);
    for (int i = 1; i < 1024; i++) {
      assertThat(found[i]).isCloseTo(quantile.applyAsDouble(i / 1024.0), within(1e-12));
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {0.01, 0.2, 1, 3, 100})
  void sharesHaveTheMomentsOfTheBetaDistribution(double alpha) {
    MixDraw draw = new MixDraw(new MixSpec.Mixup(alpha), IMAGE, 3);
    double mean = 0;
    double variance = 0;
    for (int batch = 0; batch < DRAWS; batch++) {
      draw.draw(batch);
      assertThat(draw.lambda()).isBetween(0f, 1f);
      mean += draw.lambda() / DRAWS;
      variance += Math.pow(draw.lambda() - 0.5, 2) / DRAWS;
    }
    double expected = 1 / (4 * (2 * alpha + 1));
    assertThat(mean).isCloseTo(0.5, within(5 * Math.sqrt(expected / DRAWS)));
    assertThat(variance).isCloseTo(expected, within(0.03 * expected));
  }

  @Test
  void everyBatchAndSeedHasItsOwnShare() {
    MixDraw draw = new MixDraw(new MixSpec.Mixup(1.0), IMAGE, 3);
    MixDraw seeded = new MixDraw(new MixSpec.Mixup(1.0), IMAGE, 4);
    draw.draw(0);
    float first = draw.lambda();
    seeded.draw(0);
    assertThat(seeded.lambda()).isNotEqualTo(first);
    for (long batch : new long[] {1, 1L << 32}) {
      draw.draw(batch);
      assertThat(draw.lambda()).isNotEqualTo(first);
    }
    draw.draw(0);
    assertThat(draw.lambda()).isEqualTo(first);
  }

  @Test
  void rectanglesAreWhatIsNotTheSamplesOwn() {
    MixDraw cut = new MixDraw(new MixSpec.Cutmix(1.0), IMAGE, 3);
    MixDraw uncut = new MixDraw(new MixSpec.Mixup(1.0), IMAGE, 3);
    double left = 0;
    double bottom = 0;
    int inside = 0;
    for (int batch = 0; batch < DRAWS; batch++) {
      cut.draw(batch);
      uncut.draw(batch);
      assertThat(cut.left()).isBetween(0, cut.right());
      assertThat(cut.right()).isLessThanOrEqualTo(30);
      assertThat(cut.top()).isBetween(0, cut.bottom());
      assertThat(cut.bottom()).isLessThanOrEqualTo(20);
      int rows = cut.bottom() - cut.top();
      int columns = cut.right() - cut.left();
      assertThat(cut.lambda()).isCloseTo(1 - rows * columns / 600f, within(1e-6f));
      // A rectangle whose half sides are cut to whole pixels is smaller than its share.
      assertThat(cut.lambda()).isGreaterThanOrEqualTo(uncut.lambda() - 1e-6f);
      if (cut.left() > 0 && cut.right() < 30 && cut.top() > 0 && cut.bottom() < 20) {
        inside++;
        assertThat(columns).isEqualTo(2 * (int) (15 * Math.sqrt(1 - uncut.lambda())));
        assertThat(rows).isEqualTo(2 * (int) (10 * Math.sqrt(1 - uncut.lambda())));
      }
      left += cut.left() / (double) DRAWS;
      bottom += (20 - cut.bottom()) / (double) DRAWS;
    }
    assertThat(inside).isGreaterThan(DRAWS / 20);
    // By symmetry, but for the centre's being a pixel's corner.
    assertThat(left / 30).isCloseTo(bottom / 20, within(0.05));
  }
}
