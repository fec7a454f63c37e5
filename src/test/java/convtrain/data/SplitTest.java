package convtrain.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.DoubleRange;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class SplitTest {
  @Property(tries = 60)
  void partsAreDisjointCompleteStratifiedAndRepeatable(
      @ForAll @IntRange(min = 40, max = 400) int size,
      @ForAll @IntRange(min = 1, max = 7) int classes,
      @ForAll @DoubleRange(min = 0.1, max = 0.9) double fraction,
      @ForAll long seed) {
    Dataset data = Idx.dataset(Idx.randomLabels(size, classes, seed));

    Split split = Split.stratified(data, fraction, seed);

    int[] train = indices(split.train());
    int[] validation = indices(split.validation());
    assertThat(IntStream.concat(IntStream.of(train), IntStream.of(validation)).sorted())
        .containsExactlyElementsOf(IntStream.range(0, size).boxed().toList());
    assertThat(train).isSorted();
    assertThat(validation).isSorted();
    for (int label = 0; label < classes; label++) {
      assertThat(count(split.validation(), label))
          .isEqualTo(Math.round(fraction * count(data, label)));
    }
    assertThat(indices(Split.stratified(data, fraction, seed).validation())).isEqualTo(validation);
  }

  @Test
  void anotherSeedHoldsOutOtherSamples() {
    Dataset data = Idx.dataset(Idx.randomLabels(300, 3, 1));
    assertThat(indices(Split.stratified(data, 0.3, 1).validation()))
        .isNotEqualTo(indices(Split.stratified(data, 0.3, 2).validation()));
  }

  @Test
  void heldOutSamplesAreNotSimplyTheFirst() {
    Dataset data = Idx.dataset(new int[200]);
    assertThat(indices(Split.stratified(data, 0.5, 1).validation()))
        .isNotEqualTo(IntStream.range(0, 100).toArray());
  }

  @Test
  void splitThatLeavesAPartEmptyIsRefused() {
    Dataset data = Idx.dataset(new int[] {0, 1, 2});
    assertThatExceptionOfType(DataException.class)
        .isThrownBy(() -> Split.stratified(data, 0.2, 1))
        .withMessageContaining("validation_split=0.2 would hold out 0 of 3 samples");
    assertThatExceptionOfType(DataException.class)
        .isThrownBy(() -> Split.stratified(data, 0.8, 1))
        .withMessageContaining("would hold out 3 of 3 samples");
    assertThatIllegalArgumentException().isThrownBy(() -> Split.stratified(data, 1, 1));
    assertThatIllegalArgumentException().isThrownBy(() -> Split.stratified(data, Double.NaN, 1));
  }

  private static int[] indices(Dataset data) {
    return IntStream.range(0, data.size()).map(i -> Idx.index(data, i)).toArray();
  }

  private static long count(Dataset data, int label) {
    return IntStream.range(0, data.size()).filter(i -> data.label(i) == label).count();
  }
}
