package convtrain.graph;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RandomNumbersTest {
  private static final int DRAWS = 100_000;

  /** Known answers of Random123, the generator's reference implementation. */
  @ParameterizedTest
  @CsvSource({
    "00000000 00000000 00000000 00000000, 0000000000000000, 6627e8d5 e169c58d bc57ac4c 9b00dbd8",
    "ffffffff ffffffff ffffffff ffffffff, ffffffffffffffff, 408f276d 41c83b0e a20bc7c6 6d5451fd",
    "243f6a88 85a308d3 13198a2e 03707344, 299f31d0a4093822, d16cfe09 94fdcceb 5001e420 24126ea1"
  })
  void philoxGivesTheReferencesWords(String counter, String key, String expected) {
    int[] c = words(counter);
    int[] out = new int[4];
    Philox.block(Long.parseUnsignedLong(key, 16), c[0], c[1], c[2], c[3], out);
    assertThat(out).isEqualTo(words(expected));
  }

  @Test
  void anyElementIsReachedWithoutDrawingThoseBefore() {
    Philox inOrder = new Philox(7, Philox.Purpose.SHUFFLE, 3);
    double[] values = IntStream.range(0, 20).mapToDouble(inOrder::uniform).toArray();
    assertThat(new Philox(7, Philox.Purpose.SHUFFLE, 3).uniform(19)).isEqualTo(values[19]);
  }

  @Test
  void seedPurposeStreamAndIndexEachChangeTheNumbers() {
    double[] values = {
      new Philox(7, Philox.Purpose.SHUFFLE, 3).uniform(5),
      new Philox(8, Philox.Purpose.SHUFFLE, 3).uniform(5),
      new Philox(7 + (1L << 32), Philox.Purpose.SHUFFLE, 3).uniform(5),
      new Philox(7, Philox.Purpose.SPLIT, 3).uniform(5),
      new Philox(7, Philox.Purpose.SHUFFLE, 4).uniform(5),
      new Philox(7, Philox.Purpose.SHUFFLE, 3).uniform(6),
      new Philox(7, Philox.Purpose.SHUFFLE, 3).uniform(5 + (1L << 32)),
    };
    assertThat(Arrays.stream(values).distinct()).hasSize(values.length);
  }

  @Test
  void shuffleIsAPermutationThatMovesMostElements() {
    int[] values = IntStream.range(0, 1000).toArray();
    new Philox(1, Philox.Purpose.SHUFFLE, 0).shuffle(values);
    assertThat(values).contains(IntStream.range(0, 1000).toArray()).doesNotHaveDuplicates();
    assertThat(IntStream.range(0, 1000).filter(i -> values[i] == i).count()).isLessThan(10);
  }

  @Test
  void shufflePutsEveryElementEverywhereEquallyOften() {
    int[][] counts = new int[4][4];
    for (int stream = 0; stream < 4000; stream++) {
      int[] values = {0, 1, 2, 3};
      new Philox(1, Philox.Purpose.SHUFFLE, stream).shuffle(values);
      for (int at = 0; at < 4; at++) {
        counts[values[at]][at]++;
      }
    }
    // Expected 1000 each; one standard deviation is 27.
    assertThat(Arrays.stream(counts).flatMapToInt(Arrays::stream).boxed())
        .allSatisfy(count -> assertThat(count).isBetween(860, 1140));
  }

  @Test
  void uniformFillStaysInItsBoundsWithTheirMoments() {
    float[] values = Fill.uniform(0.25).draw(DRAWS, 1, 0);
    assertMoments(values, 0, 0.25 / Math.sqrt(3));
    for (float value : values) {
      assertThat(Math.abs(value)).isLessThanOrEqualTo(0.25f);
    }
  }

  @Test
  void normalFillHasItsMomentsAndTails() {
    float[] values = Fill.normal(0.5).draw(DRAWS, 1, 0);
    assertMoments(values, 0, 0.5);
    assertThat(share(values, 0.5f)).isCloseTo(0.6827, within(0.01));
    assertThat(share(values, 1f)).isCloseTo(0.9545, within(0.005));
  }

  @Test
  void constantFillIsConstant() {
    assertThat(Fill.constant(0.5).draw(3, 1, 0)).containsExactly(0.5f, 0.5f, 0.5f);
  }

  @Test
  void tensorsAndSeedsHaveTheirOwnValuesAndReproduceThem() {
    float[] first = Fill.normal(1).draw(8, 1, 0);
    assertThat(Fill.normal(1).draw(8, 1, 0)).isEqualTo(first);
    assertThat(Fill.normal(1).draw(8, 1, 1)).isNotEqualTo(first);
    assertThat(Fill.normal(1).draw(8, 2, 0)).isNotEqualTo(first);
  }

  @ParameterizedTest
  @CsvSource({
    "DEFAULT, UNIFORM, 0.2",
    "KAIMING_UNIFORM, UNIFORM, 0.4898979485566356",
    "KAIMING_NORMAL, NORMAL, 0.282842712474619",
    "XAVIER_UNIFORM, UNIFORM, 0.282842712474619",
    "XAVIER_NORMAL, NORMAL, 0.16329931618554522"
  })
  void initialisationsHavePyTorchsScaleForFanIn25AndFanOut50(
      Init init, Fill.Kind kind, double value) {
    Fill fill = init.fill(25, 50);
    assertThat(fill.kind()).isEqualTo(kind);
    assertThat(fill.value()).isCloseTo(value, within(1e-15));
  }

  /** Within five standard errors of the mean and of the standard deviation. */
  private static void assertMoments(float[] values, double mean, double std) {
    double sum = 0;
    double squares = 0;
    for (float value : values) {
      sum += value;
      squares += (double) value * value;
    }
    double found = sum / values.length;
    double error = 5 * std / Math.sqrt(values.length);
    assertThat(found).isCloseTo(mean, within(error));
    assertThat(Math.sqrt(squares / values.length - found * found)).isCloseTo(std, within(error));
  }

  private static double share(float[] values, float bound) {
    int inside = 0;
    for (float value : values) {
      inside += Math.abs(value) < bound ? 1 : 0;
    }
    return (double) inside / values.length;
  }

  private static int[] words(String hex) {
    return Arrays.stream(hex.split(" "))
        .mapToInt(word -> Integer.parseUnsignedInt(word, 16))
        .toArray();
  }
}
