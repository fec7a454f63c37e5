package convtrain.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.Arrays;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class SamplerTest {
  @Property(tries = 100)
  void epochHasEachSampleOnce(
      @ForAll @IntRange(min = 1, max = 300) int size,
      @ForAll @IntRange(min = 1, max = 64) int batchSize,
      @ForAll boolean shuffle,
      @ForAll long seed) {
    Sampler sampler = new Sampler(Idx.dataset(new int[size]), batchSize, shuffle, false, seed);
    int[] inOrder = IntStream.range(0, size).toArray();
    for (int epoch = 0; epoch < 2; epoch++) {
      int[] order = sampler.order(epoch).clone();
      if (shuffle) {
        Arrays.sort(order);
      }
      assertThat(order).isEqualTo(inOrder);
    }
    assertThat(sampler.samplesPerEpoch()).isEqualTo(size);
    assertThat(sampler.stepsPerEpoch()).isEqualTo((size + batchSize - 1) / batchSize);
  }

  @Test
  void lastSmallerBatchIsCountedUnlessDropped() {
    Dataset data = Idx.dataset(new int[10]);
    Sampler keeping = new Sampler(data, 4, true, false, 1);
    Sampler dropping = new Sampler(data, 4, true, true, 1);
    assertThat(keeping.stepsPerEpoch()).isEqualTo(3);
    assertThat(keeping.samplesPerEpoch()).isEqualTo(10);
    assertThat(dropping.stepsPerEpoch()).isEqualTo(2);
    assertThat(dropping.samplesPerEpoch()).isEqualTo(8);
    assertThat(dropping.order(3)).isEqualTo(keeping.order(3));
  }

  @Test
  void orderOfAnEpochDependsOnSeedAndEpochAlone() {
    Dataset data = Idx.dataset(new int[200]);
    Sampler whole = new Sampler(data, 32, true, false, 5);
    int[] first = whole.order(0).clone();
    int[] second = whole.order(1).clone();
    assertThat(second).isNotEqualTo(first);
    assertThat(new Sampler(data, 32, true, false, 5).order(1)).isEqualTo(second);
    assertThat(new Sampler(data, 32, true, false, 6).order(0)).isNotEqualTo(first);
  }

  @Test
  void batchThatNoEpochCanFillIsRefused() {
    Dataset data = Idx.dataset(new int[5]);
    assertThatExceptionOfType(DataException.class)
        .isThrownBy(() -> new Sampler(data, 6, true, true, 1))
        .withMessageContaining("batch_size=6 with drop_last leaves no batch");
    assertThatIllegalArgumentException().isThrownBy(() -> new Sampler(data, 0, true, false, 1));
  }
}
