package convtrain.backend;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import convtrain.graph.DataPlacement;
import convtrain.graph.Shape;
import convtrain.testing.ArraySamples;
import convtrain.testing.DeviceFloats;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Feeds deliver each sample of a pass once, in order, to the staging ops that read them. */
class FeedContractTest extends BackendContract {
  private static final Shape IMAGE = Shape.image(2, 3, 5);

  /** Label i is i; the first two bytes of image i tell i. */
  private static Samples samples(int count) {
    byte[] images = new byte[count * IMAGE.elements()];
    new Random(count).nextBytes(images);
    for (int i = 0; i < count; i++) {
      images[i * IMAGE.elements()] = (byte) i;
      images[i * IMAGE.elements() + 1] = (byte) (i >> 8);
    }
    return new ArraySamples(images, IntStream.range(0, count).toArray());
  }

  /** A plan's staging for each batch size, and what it staged. */
  private static final class Stages implements AutoCloseable {
    final Feed feed;
    private final DeviceBuffer x;
    private final DeviceBuffer labels;
    private final Op[] bySize;

    Stages(int batchSize, DataPlacement placement) {
      feed = backend().feed(IMAGE.elements(), batchSize, placement);
      x = backend().allocate((long) batchSize * IMAGE.elements() * Float.BYTES);
      labels = backend().allocate((long) batchSize * Integer.BYTES);
      bySize = new Op[batchSize + 1];
      for (int n = 1; n <= batchSize; n++) {
        OpFactory ops = backend().ops(n, true);
        bySize[n] =
            ops.stage(
                feed,
                new Normalization(IMAGE, new float[2], new float[] {1 / 255f, 1 / 255f}),
                null,
                x.slice(0, (long) n * IMAGE.elements() * Float.BYTES),
                labels.slice(0, (long) n * Integer.BYTES));
      }
    }

    /** Runs all steps of the pass and gives each batch's labels; checks its images. */
    List<int[]> pass(Samples samples) {
      List<int[]> batches = new ArrayList<>();
      for (int n = feed.next(); n > 0; n = feed.next()) {
        bySize[n].forward();
        backend().synchronize();
        ByteBuffer read = DeviceFloats.host(n * Integer.BYTES);
        labels.slice(0, read.capacity()).read(0, read);
        int[] found = new int[n];
        read.asIntBuffer().get(found);
        float[] images = DeviceFloats.read(x);
        for (int i = 0; i < n; i++) {
          assertThat(image(images, i)).isEqualTo(expected(samples, found[i]));
        }
        batches.add(found);
      }
      return batches;
    }

    private static int[] image(float[] x, int sample) {
      int[] bytes = new int[IMAGE.elements()];
      double[] planes =
          DeviceFloats.fromDevice(
              Arrays.copyOfRange(x, sample * bytes.length, (sample + 1) * bytes.length), IMAGE);
      Arrays.setAll(bytes, i -> (int) Math.round(planes[i]));
      return bytes;
    }

    private static int[] expected(Samples samples, int sample) {
      ByteBuffer bytes = ByteBuffer.allocate(IMAGE.elements());
      samples.copyImage(sample, bytes);
      int[] expected = new int[bytes.capacity()];
      Arrays.setAll(expected, i -> bytes.get(i) & 0xFF);
      return expected;
    }

    @Override
    public void close() {
      for (int n = 1; n < bySize.length; n++) {
        bySize[n].close();
      }
      feed.close();
      labels.close();
      x.close();
    }
  }

  private static int[] joined(List<int[]> batches) {
    return batches.stream().flatMapToInt(Arrays::stream).toArray();
  }

  @ParameterizedTest
  @EnumSource
  void passDeliversItsOrderInBatches(DataPlacement placement) {
    Samples samples = samples(300);
    int[] order = {299, 0, 7, 255, 256, 7, 12, 100, 3, 2, 1};
    try (Stages stages = new Stages(4, placement)) {
      for (int pass = 0; pass < 3; pass++) {
        stages.feed.start(samples, order, 10);
        List<int[]> batches = stages.pass(samples);
        assertThat(batches.stream().map(batch -> batch.length)).containsExactly(4, 4, 2);
        assertThat(joined(batches)).isEqualTo(Arrays.copyOf(order, 10));
        assertThat(stages.feed.next()).as("after the end").isZero();
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void passesMayChangeTheSamplesAndEndEarly(DataPlacement placement) {
    Samples first = samples(40);
    Samples second = samples(25);
    int[] order = IntStream.range(0, 40).map(i -> 39 - i).toArray();
    int[] other = IntStream.range(0, 25).toArray();
    try (Stages stages = new Stages(8, placement)) {
      assertThat(stages.feed.next()).as("before the start").isZero();
      stages.feed.start(first, order, 40);
      assertThat(stages.feed.next()).isEqualTo(8);
      stages.feed.start(second, other, 25);
      Arrays.fill(other, 0);
      assertThat(joined(stages.pass(second))).isEqualTo(IntStream.range(0, 25).toArray());
      stages.feed.start(first, order, 40);
      assertThat(joined(stages.pass(first))).isEqualTo(order);
    }
  }

  @ParameterizedTest
  @EnumSource
  void batchesAllocateNothingOnTheJavaHeap(DataPlacement placement) {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    Samples samples = samples(256);
    int[] order = IntStream.range(0, 256).toArray();
    long allocated = Long.MAX_VALUE;
    try (Stages stages = new Stages(2, placement)) {
      for (int pass = 0; pass < 5; pass++) {
        stages.feed.start(samples, order, order.length);
        long before = threads.getCurrentThreadAllocatedBytes();
        while (stages.feed.next() > 0) {
          stages.bySize[2].forward();
        }
        allocated = Math.min(allocated, threads.getCurrentThreadAllocatedBytes() - before);
        backend().synchronize();
      }
    }
    assertThat(allocated).as("bytes in 128 batches").isLessThan(2000);
  }

  @Test
  void readbackGivesTheBytesAsOfItsRequest() {
    DeviceBuffer buffer = backend().allocate(16);
    try (Readback readback = backend().readback(buffer)) {
      assertThat(readback.poll()).as("before a request").isNull();
      DeviceFloats.write(new float[] {1, 2, 3, 4}, buffer);
      readback.request();
      backend().synchronize();
      ByteBuffer bytes = null;
      for (int i = 0; i < 1000 && bytes == null; i++) {
        bytes = readback.poll();
      }
      assertThat(bytes).as("after the device was waited for").isNotNull();
      float[] copy = new float[4];
      bytes.asFloatBuffer().get(copy);
      assertThat(copy).containsExactly(1, 2, 3, 4);
      assertThat(readback.poll()).as("once it was taken").isNull();
    } finally {
      buffer.close();
    }
  }
}
