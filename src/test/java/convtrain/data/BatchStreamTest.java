package convtrain.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import org.junit.jupiter.api.Test;

class BatchStreamTest {
  private static final int IMAGE_BYTES = 6;

  @Property(tries = 100)
  void epochDeliversEachSampleOnceWithItsImageAndLabel(
      @ForAll @IntRange(min = 1, max = 300) int size,
      @ForAll @IntRange(min = 1, max = 64) int batchSize,
      @ForAll boolean shuffle,
      @ForAll long seed) {
    int[] labels = Idx.randomLabels(size, 10, seed);
    BatchStream stream = new BatchStream(Idx.dataset(labels), batchSize, shuffle, false, seed);

    for (int epoch = 0; epoch < 2; epoch++) {
      List<Integer> sizes = new ArrayList<>();
      List<Integer> seen = epoch(stream, epoch, batchSize, labels, sizes);
      assertThat(seen.stream().sorted())
          .containsExactlyElementsOf(IntStream.range(0, size).boxed().toList());
      if (!shuffle) {
        assertThat(seen).isSorted();
      }
      assertThat(sizes).hasSize(stream.stepsPerEpoch());
      assertThat(sizes.get(sizes.size() - 1)).isEqualTo(size - (sizes.size() - 1) * batchSize);
      assertThat(sizes.subList(0, sizes.size() - 1)).allMatch(n -> n == batchSize);
    }
    assertThat(stream.samplesPerEpoch()).isEqualTo(size);
  }

  @Test
  void lastSmallerBatchIsDeliveredUnlessDropped() {
    int[] labels = Idx.randomLabels(10, 3, 1);
    Dataset data = Idx.dataset(labels);
    List<Integer> kept = new ArrayList<>();
    List<Integer> dropped = new ArrayList<>();

    BatchStream keeping = new BatchStream(data, 4, true, false, 1);
    BatchStream dropping = new BatchStream(data, 4, true, true, 1);
    List<Integer> all = epoch(keeping, 0, 4, labels, kept);
    List<Integer> whole = epoch(dropping, 0, 4, labels, dropped);

    assertThat(kept).containsExactly(4, 4, 2);
    assertThat(dropped).containsExactly(4, 4);
    assertThat(whole).isEqualTo(all.subList(0, 8));
    assertThat(dropping.stepsPerEpoch()).isEqualTo(2);
    assertThat(dropping.samplesPerEpoch()).isEqualTo(8);
  }

  @Test
  void orderOfAnEpochDependsOnSeedAndEpochAlone() {
    int[] labels = Idx.randomLabels(200, 10, 1);
    Dataset data = Idx.dataset(labels);
    BatchStream whole = new BatchStream(data, 32, true, false, 5);
    List<Integer> first = epoch(whole, 0, 32, labels, new ArrayList<>());
    List<Integer> second = epoch(whole, 1, 32, labels, new ArrayList<>());

    BatchStream resumed = new BatchStream(data, 32, true, false, 5);
    assertThat(epoch(resumed, 1, 32, labels, new ArrayList<>())).isEqualTo(second);
    assertThat(second).isNotEqualTo(first);
    BatchStream other = new BatchStream(data, 32, true, false, 6);
    assertThat(epoch(other, 0, 32, labels, new ArrayList<>())).isNotEqualTo(first);
  }

  @Test
  void epochThatIsStartedAgainBeginsAtItsFirstBatch() {
    BatchStream stream = new BatchStream(Idx.dataset(new int[9]), 4, false, false, 1);
    ByteBuffer images = ByteBuffer.allocateDirect(4 * IMAGE_BYTES);
    ByteBuffer labels = ints(4);
    assertThat(stream.next(images, labels)).isZero();
    stream.startEpoch(0);
    assertThat(stream.next(images, labels)).isEqualTo(4);
    stream.startEpoch(0);
    assertThat(stream.next(images, labels)).isEqualTo(4);
    assertThat(images.get(0)).isEqualTo(Idx.pixel(0, 0));
  }

  @Test
  void gatheringBatchesAllocatesNothing() {
    BatchStream stream = new BatchStream(Idx.dataset(new int[3000]), 32, true, false, 1);
    ByteBuffer images = ByteBuffer.allocateDirect(32 * IMAGE_BYTES);
    ByteBuffer labels = ints(32);
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    long allocated = Long.MAX_VALUE;
    int batches = 0;
    for (int epoch = 0; epoch < 5; epoch++) {
      stream.startEpoch(epoch);
      long before = threads.getCurrentThreadAllocatedBytes();
      while (stream.next(images, labels) > 0) {
        batches++;
      }
      allocated = Math.min(allocated, threads.getCurrentThreadAllocatedBytes() - before);
    }
    assertThat(batches).isEqualTo(5 * 94);
    assertThat(allocated).isLessThan(300);
  }

  @Test
  void batchThatNoEpochCanFillIsRefused() {
    Dataset data = Idx.dataset(new int[5]);
    assertThatExceptionOfType(DataException.class)
        .isThrownBy(() -> new BatchStream(data, 6, true, true, 1))
        .withMessageContaining("batch_size=6 with drop_last leaves no batch");
    assertThatIllegalArgumentException().isThrownBy(() -> new BatchStream(data, 0, true, false, 1));
  }

  @Test
  void labelsInAnotherByteOrderAreRefused() {
    BatchStream stream = new BatchStream(Idx.dataset(new int[5]), 2, true, false, 1);
    ByteOrder other =
        ByteOrder.nativeOrder() == ByteOrder.BIG_ENDIAN
            ? ByteOrder.LITTLE_ENDIAN
            : ByteOrder.BIG_ENDIAN;
    assertThatIllegalArgumentException()
        .isThrownBy(() -> stream.next(ByteBuffer.allocate(12), ints(2).order(other)));
  }

  /** Runs an epoch; checks each sample's image and label, and returns the samples' indices. */
  private static List<Integer> epoch(
      BatchStream stream, int epoch, int batchSize, int[] expected, List<Integer> sizes) {
    ByteBuffer images = ByteBuffer.allocateDirect(batchSize * IMAGE_BYTES);
    ByteBuffer labels = ints(batchSize);
    List<Integer> seen = new ArrayList<>();
    stream.startEpoch(epoch);
    for (int n = stream.next(images, labels); n > 0; n = stream.next(images, labels)) {
      sizes.add(n);
      assertThat(images.remaining()).isEqualTo(n * IMAGE_BYTES);
      assertThat(labels.remaining()).isEqualTo(n * Integer.BYTES);
      for (int i = 0; i < n; i++) {
        int at = i * IMAGE_BYTES;
        int index = images.get(at) & 0xFF | (images.get(at + 1) & 0xFF) << 8;
        assertThat(images.get(at + 5)).isEqualTo(Idx.pixel(index, 5));
        assertThat(labels.getInt(i * Integer.BYTES)).isEqualTo(expected[index]);
        seen.add(index);
      }
    }
    return seen;
  }

  private static ByteBuffer ints(int count) {
    return ByteBuffer.allocateDirect(count * Integer.BYTES).order(ByteOrder.nativeOrder());
  }
}
