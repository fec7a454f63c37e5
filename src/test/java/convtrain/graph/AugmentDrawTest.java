package convtrain.graph;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import convtrain.graph.AugmentSpec.RandomAffine;
import convtrain.graph.AugmentSpec.RandomCrop;
import convtrain.graph.AugmentSpec.RandomErasing;
import java.util.Arrays;
import java.util.List;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Parameters follow the distributions that the run file asks for. */
class AugmentDrawTest {
  private static final Shape IMAGE = Shape.image(1, 28, 28);
  private static final int DRAWS = 20_000;

  private static AugmentDraw affine(
      List<Double> degrees, List<Double> translate, List<Double> scale, List<Double> shear) {
    RandomAffine affine = new RandomAffine(degrees, translate, scale, shear);
    return new AugmentDraw(new AugmentSpec(affine, null, null, null), IMAGE, 3);
  }

  private static AugmentDraw erasing(Double p, List<Double> scale, List<Double> ratio) {
    RandomErasing erasing = new RandomErasing(p, scale, ratio, null);
    return new AugmentDraw(new AugmentSpec(null, null, null, erasing), IMAGE, 3);
  }

  /** One number of each draw. */
  private static double[] values(AugmentDraw draw, ToDoubleFunction<AugmentDraw> number) {
    return IntStream.range(0, DRAWS)
        .mapToDouble(
            sample -> {
              draw.draw(1, sample);
              return number.applyAsDouble(draw);
            })
        .toArray();
  }

  /** Mean and variance within five standard errors of those of a uniform distribution. */
  private static void assertUniform(double[] values, double min, double max) {
    double span = max - min;
    assertThat(Arrays.stream(values)).allMatch(value -> value >= min - 1e-5 && value <= max + 1e-5);
    double mean = mean(values);
    assertThat(mean).isCloseTo((min + max) / 2, within(5 * span / Math.sqrt(12.0 * DRAWS)));
    double variance =
        IntStream.range(0, DRAWS).mapToDouble(i -> square(values[i] - mean)).sum() / DRAWS;
    assertThat(variance)
        .isCloseTo(span * span / 12, within(5 * span * span / Math.sqrt(180.0 * DRAWS)));
  }

  private static double mean(double[] values) {
    return IntStream.range(0, values.length).mapToDouble(i -> values[i]).sum() / values.length;
  }

  private static double square(double x) {
    return x * x;
  }

  @Test
  void sinesAndPowersAreThoseOfTheMathLibrary() {
    for (double degrees = -720; degrees <= 720; degrees += 0.37) {
      assertThat(PinnedMath.sine(degrees))
          .isCloseTo(Math.sin(Math.toRadians(degrees)), within(1e-14));
      assertThat(PinnedMath.cosine(degrees))
          .isCloseTo(Math.cos(Math.toRadians(degrees)), within(1e-14));
    }
    for (double x = -7; x <= 7; x += 0.0137) {
      assertThat(PinnedMath.exponential(x)).isCloseTo(Math.exp(x), within(1e-14 * Math.exp(x)));
    }
  }

  @Test
  void anglesAreUniformAndRotationsKeepLengthsAndTheCentre() {
    AugmentDraw draw = affine(List.of(30.0), null, null, null);
    assertUniform(values(draw, d -> Math.toDegrees(Math.atan2(d.yx(), d.xx()))), -30, 30);
    for (int sample = 0; sample < 100; sample++) {
      draw.draw(2, sample);
      assertThat(draw.xx() * draw.yy() - draw.xy() * draw.yx()).isCloseTo(1f, within(1e-6f));
      assertThat(square(draw.xx()) + square(draw.yx())).isCloseTo(1, within(1e-6));
      assertThat(draw.xx() * 13.5f + draw.xy() * 13.5f + draw.x0()).isCloseTo(14.5f, within(1e-5f));
      assertThat(draw.yx() * 13.5f + draw.yy() * 13.5f + draw.y0()).isCloseTo(14.5f, within(1e-5f));
    }
  }

  @Test
  void positiveAnglesTurnClockwise() {
    AugmentDraw draw = affine(List.of(90.0, 90.0), null, null, null);
    draw.draw(1, 1);
    // The output's top right corner shows what was top left; the frame counts from 1.
    assertThat(draw.xx() * 27 + draw.x0()).isCloseTo(1f, within(1e-5f));
    assertThat(draw.yx() * 27 + draw.y0()).isCloseTo(1f, within(1e-5f));
  }

  @Test
  void shiftsAreWholePixelsOfTheirOwnRange() {
    AugmentDraw draw = affine(List.of(0.0), List.of(0.1, 0.25), null, null);
    double[] x = values(draw, d -> 1 - d.x0());
    double[] y = values(draw, d -> 1 - d.y0());
    assertThat(Arrays.stream(x))
        .allMatch(shift -> shift == Math.rint(shift) && Math.abs(shift) <= 3);
    assertThat(Arrays.stream(y))
        .allMatch(shift -> shift == Math.rint(shift) && Math.abs(shift) <= 7);
    assertThat(share(x, 0)).isCloseTo(1 / 5.6, within(0.014));
    assertThat(share(x, 3)).isCloseTo(0.3 / 5.6, within(0.009));
    assertThat(share(y, -7)).isCloseTo(0.5 / 14, within(0.008));
  }

  private static double share(double[] values, double of) {
    return IntStream.range(0, values.length).filter(i -> values[i] == of).count()
        / (double) values.length;
  }

  @Test
  void scalesAndShearsAreUniform() {
    AugmentDraw scaled = affine(List.of(0.0), null, List.of(0.5, 2.0), null);
    assertUniform(values(scaled, d -> 1 / d.xx()), 0.5, 2);
    assertThat(values(scaled, d -> d.xx() - d.yy())).containsOnly(0);
    AugmentDraw sheared = affine(List.of(0.0), null, null, List.of(20.0));
    assertUniform(values(sheared, d -> Math.toDegrees(Math.atan(d.xy()))), -20, 20);
    assertThat(values(sheared, d -> Math.abs(d.yx()))).containsOnly(0);
    AugmentDraw along = affine(List.of(0.0), null, null, List.of(0.0, 0.0, 5.0, 25.0));
    assertUniform(values(along, d -> Math.toDegrees(Math.atan(d.yx()))), 5, 25);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 4})
  void cropsAreUniformOverAllPlaces(int padding) {
    AugmentDraw draw =
        new AugmentDraw(new AugmentSpec(null, null, new RandomCrop(padding), null), IMAGE, 3);
    double[] x = values(draw, d -> d.x0() - 1);
    double[] y = values(draw, d -> d.y0() - 1);
    double each = 1.0 / (2 * padding + 1);
    for (int place = -padding; place <= padding; place++) {
      assertThat(share(x, place)).isCloseTo(each, within(5 * Math.sqrt(each / DRAWS)));
      assertThat(share(y, place)).isCloseTo(each, within(5 * Math.sqrt(each / DRAWS)));
    }
    double product = mean(IntStream.range(0, DRAWS).mapToDouble(i -> x[i] * y[i]).toArray());
    assertThat(product).isCloseTo(0, within(5.0 * padding * (padding + 1) / 3 / Math.sqrt(DRAWS)));
  }

  @Test
  void rectanglesHaveTheirAreaAndRatioAndStandAnywhere() {
    List<Double> scale = List.of(0.1, 0.2);
    AugmentDraw draw = erasing(0.25, scale, List.of(0.5, 2.0));
    double[] rows = values(draw, AugmentDraw::rows);
    double[] columns = values(draw, AugmentDraw::columns);
    double[] top = values(draw, AugmentDraw::top);
    double[] left = values(draw, AugmentDraw::left);
    int[] erased = IntStream.range(0, DRAWS).filter(i -> rows[i] > 0).toArray();
    assertThat(erased.length / (double) DRAWS).isCloseTo(0.25, within(0.016));
    double area = 0;
    double logRatio = 0;
    double room = 0;
    for (int i : erased) {
      assertThat(rows[i]).isBetween(6.0, 18.0);
      assertThat(columns[i]).isBetween(6.0, 18.0);
      assertThat(top[i]).isBetween(0.0, 28 - rows[i]);
      assertThat(left[i]).isBetween(0.0, 28 - columns[i]);
      area += rows[i] * columns[i] / 784 / erased.length;
      logRatio += Math.log(rows[i] / columns[i]) / erased.length;
      room += (top[i] / (28 - rows[i]) + left[i] / (28 - columns[i])) / 2 / erased.length;
    }
    assertThat(area).isCloseTo(0.15, within(0.003));
    assertThat(logRatio).isCloseTo(0, within(0.03));
    assertThat(room).isCloseTo(0.5, within(0.02));
  }

  @Test
  void rectanglesThatCannotFitAreGivenUp() {
    AugmentDraw draw = erasing(1.0, List.of(1.0, 1.0), List.of(1.0, 1.0));
    assertThat(values(draw, d -> d.rows() + d.columns())).containsOnly(0);
  }

  @Test
  void aPartDrawsTheSameWithAndWithoutTheOthers() {
    RandomAffine affine = new RandomAffine(List.of(15.0), null, null, List.of(4.0));
    RandomErasing erasing = new RandomErasing(0.5, null, null, null);
    AugmentDraw alone = new AugmentDraw(new AugmentSpec(affine, null, null, null), IMAGE, 9);
    AugmentDraw erased = new AugmentDraw(new AugmentSpec(null, null, null, erasing), IMAGE, 9);
    AugmentDraw both = new AugmentDraw(new AugmentSpec(affine, null, null, erasing), IMAGE, 9);
    for (int sample = 0; sample < 50; sample++) {
      alone.draw(4, sample);
      erased.draw(4, sample);
      both.draw(4, sample);
      assertThat(both.xy()).isEqualTo(alone.xy());
      assertThat(both.x0()).isEqualTo(alone.x0());
      assertThat(both.rows()).isEqualTo(erased.rows());
      assertThat(both.left()).isEqualTo(erased.left());
    }
  }

  @Test
  void gaussiansHaveTorchvisionsSizeAndSumToOne() {
    for (double[] each : new double[][] {{5, 20}, {4, 16}, {1, 4}, {0.3, 1}, {1.49, 6}}) {
      AugmentSpec.ElasticTransform elastic = new AugmentSpec.ElasticTransform(null, each[0]);
      assertThat(elastic.radius()).isEqualTo((int) each[1]);
      float[] weights = elastic.weights();
      double sum = weights[0];
      for (int t = 1; t < weights.length; t++) {
        sum += 2 * weights[t];
        double ratio = Math.exp((1 - 2 * t) / (2 * each[0] * each[0]));
        assertThat(weights[t] / (double) weights[t - 1]).isCloseTo(ratio, within(1e-6));
      }
      assertThat(sum).isCloseTo(1, within(1e-6));
    }
  }
}
