package convtrain.backend.cuda.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import convtrain.backend.DeviceMemoryException;
import convtrain.backend.Samples;
import convtrain.graph.DataPlacement;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** What a staging kernel finds on the device, batch after batch. */
class CudaFeedTest extends DeviceTest {
  private static final int SMALL_RING = 1;
  private static final int LARGE_RING = 1 << 20;

  /** Images whose bytes follow from seed and index; counts what is copied and fails at will. */
  private record Drawn(int count, int imageBytes, int seed, int badIndex, AtomicInteger copied)
      implements Samples {
    Drawn(int count, int imageBytes, int seed) {
      this(count, imageBytes, seed, -1, new AtomicInteger());
    }

    @Override
    public void copyImage(int index, ByteBuffer into) {
      if (index == badIndex) {
        throw new IllegalArgumentException("sample " + index + " is unreadable");
      }
      copied.incrementAndGet();
      for (int i = 0; i < imageBytes; i++) {
        into.put(pixel(index, i));
      }
    }

    byte pixel(int index, int i) {
      return (byte) (31 * index + 7 * i + seed + index * i / 5);
    }

    @Override
    public int label(int index) {
      return index * 3 + seed;
    }
  }

  /** A pass: what is fed in which order. */
  private record Pass(Drawn samples, int[] order, int count) {
    static Pass draw(Random random, Drawn samples) {
      int count = 1 + random.nextInt(2 * samples.count());
      int[] order = random.ints(count + random.nextInt(3), 0, samples.count()).toArray();
      return new Pass(samples, order, count);
    }

    byte[] images() {
      ByteBuffer images = ByteBuffer.allocate(count * samples.imageBytes());
      for (int i = 0; i < count; i++) {
        for (int b = 0; b < samples.imageBytes(); b++) {
          images.put(samples.pixel(order[i], b));
        }
      }
      return images.array();
    }

    int[] labels() {
      return Arrays.stream(order, 0, count).map(samples::label).toArray();
    }
  }

  /** What the kernel staged in one pass. */
  private record Staged(byte[] images, int[] labels, List<Integer> sizes) {}

  /** Enqueues a whole pass without waiting, each step with a place of its own for its batch. */
  private Staged stage(CudaFeed feed, Pass pass) {
    int imageBytes = pass.samples().imageBytes();
    Kernel gather = context().kernels().get("device_test", "gather");
    List<Integer> sizes = new ArrayList<>();
    try (CudaBuffer images = context().allocate((long) pass.count() * imageBytes);
        CudaBuffer labels = context().allocate((long) pass.count() * Integer.BYTES)) {
      feed.start(pass.samples(), pass.order(), pass.count());
      int done = 0;
      for (int n = feed.next(); n > 0; n = feed.next()) {
        CudaBuffer imagesOut = images.slice((long) done * imageBytes, (long) n * imageBytes);
        CudaBuffer labelsOut = labels.slice((long) done * Integer.BYTES, (long) n * Integer.BYTES);
        gather.launch(1L, 1, feed.state(), imagesOut, labelsOut, n, imageBytes).enqueue();
        sizes.add(n);
        done += n;
      }
      ByteBuffer bytes = host(pass.count() * imageBytes);
      images.read(0, bytes);
      ByteBuffer ints = host(pass.count() * Integer.BYTES);
      labels.read(0, ints);
      int[] found = new int[pass.count()];
      ints.asIntBuffer().get(found);
      return new Staged(bytes.array(), found, sizes);
    }
  }

  private static void check(Staged staged, Pass pass, int batchSize) {
    assertThat(staged.images()).isEqualTo(pass.images());
    assertThat(staged.labels()).isEqualTo(pass.labels());
    int whole = pass.count() / batchSize;
    int rest = pass.count() % batchSize;
    assertThat(staged.sizes()).hasSize(rest == 0 ? whole : whole + 1);
    assertThat(staged.sizes().subList(0, whole)).allMatch(n -> n == batchSize);
    assertThat(staged.sizes().stream().mapToInt(n -> n).sum()).isEqualTo(pass.count());
  }

  static IntStream seeds() {
    return IntStream.range(0, 20);
  }

  @ParameterizedTest
  @MethodSource("seeds")
  void streamedAndResidentBatchesAreThoseOfAPlainGather(int seed) {
    reopen("seed=" + seed);
    Random random = new Random(seed);
    int imageBytes = 1 + random.nextInt(40);
    int batchSize = 1 + random.nextInt(6);
    int ringBytes = random.nextBoolean() ? SMALL_RING : LARGE_RING;
    Drawn samples = new Drawn(1 + random.nextInt(60), imageBytes, seed);
    try (CudaFeed streamed =
            new CudaFeed(context(), imageBytes, batchSize, DataPlacement.STREAM, ringBytes);
        CudaFeed resident =
            new CudaFeed(context(), imageBytes, batchSize, DataPlacement.RESIDENT, ringBytes)) {
      for (int i = 0; i < 3; i++) {
        Pass pass = Pass.draw(random, samples);
        check(stage(streamed, pass), pass, batchSize);
        check(stage(resident, pass), pass, batchSize);
        assertThat(streamed.placed()).isEqualTo(DataPlacement.STREAM);
        assertThat(resident.placed()).isEqualTo(DataPlacement.RESIDENT);
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void capturedStagingFindsEachBatchByItself(DataPlacement placement) {
    int imageBytes = 5;
    Drawn samples = new Drawn(50, imageBytes, 3);
    Kernel gather = context().kernels().get("device_test", "gather");
    try (CudaFeed feed = new CudaFeed(context(), imageBytes, 4, placement, SMALL_RING);
        CudaBuffer images = context().allocate(4 * imageBytes);
        CudaBuffer labels = context().allocate(4 * Integer.BYTES)) {
      Launch launch = gather.launch(1L, 1, feed.state(), images, labels, 4, imageBytes);
      try (CudaGraph graph = CudaGraph.capture(context().stream(), launch::enqueue)) {
        int[] order = IntStream.range(0, 48).map(i -> 47 - i).toArray();
        for (int pass = 0; pass < 2; pass++) {
          feed.start(samples, order, 48);
          for (int first = 0; feed.next() > 0; first += 4) {
            graph.launch();
            ByteBuffer read = host(4 * Integer.BYTES);
            labels.read(0, read);
            assertThat(read.getInt(0)).isEqualTo(samples.label(order[first]));
            assertThat(read.getInt(12)).isEqualTo(samples.label(order[first + 3]));
          }
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void passGivenUpLeavesNothingBehind(DataPlacement placement) {
    Drawn first = new Drawn(40, 7, 1);
    Drawn second = new Drawn(30, 7, 2);
    Kernel gather = context().kernels().get("device_test", "gather");
    try (CudaFeed feed = new CudaFeed(context(), 7, 4, placement, SMALL_RING);
        CudaBuffer out = context().allocate(64)) {
      for (int steps = 0; steps < 6; steps++) {
        feed.start(first, IntStream.range(0, 40).toArray(), 40);
        for (int i = 0; i < steps; i++) {
          feed.next();
          gather.launch(1L, 1, feed.state(), out, out.slice(32, 16), 4, 7).enqueue();
        }
        feed.next();
        Pass pass = new Pass(second, IntStream.range(0, 30).toArray(), 29);
        check(stage(feed, pass), pass, 4);
      }
    }
  }

  @Test
  void loaderFailureSurfacesAtItsBatchAndTheNextPassIsWhole() {
    Drawn bad = new Drawn(40, 7, 1, 22, new AtomicInteger());
    Drawn good = new Drawn(40, 7, 1);
    int[] order = IntStream.range(0, 40).toArray();
    Kernel gather = context().kernels().get("device_test", "gather");
    try (CudaFeed feed = new CudaFeed(context(), 7, 4, DataPlacement.STREAM, SMALL_RING);
        CudaBuffer out = context().allocate(64)) {
      feed.start(bad, order, 40);
      for (int i = 0; i < 5; i++) {
        assertThat(feed.next()).isEqualTo(4);
        gather.launch(1L, 1, feed.state(), out, out.slice(32, 16), 4, 7).enqueue();
      }
      assertThatThrownBy(feed::next)
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("sample 22 is unreadable");
      Pass pass = new Pass(good, order, 40);
      check(stage(feed, pass), pass, 4);
    }
  }

  @Test
  void residentSamplesAreUploadedOnceAndTheLastTwoSetsStay() {
    Drawn train = new Drawn(20, 7, 1);
    Drawn equal = new Drawn(20, 7, 1, -1, train.copied());
    Drawn test = new Drawn(10, 7, 2);
    Drawn third = new Drawn(5, 7, 3);
    try (CudaFeed feed = new CudaFeed(context(), 7, 4, DataPlacement.RESIDENT)) {
      for (Drawn samples : List.of(train, test, equal, test, train)) {
        Pass pass = new Pass(samples, IntStream.range(0, 10).toArray(), 10);
        check(stage(feed, pass), pass, 4);
      }
      assertThat(train.copied()).hasValue(20);
      assertThat(test.copied()).hasValue(10);
      for (Drawn samples : List.of(third, train, third, test)) {
        Pass pass = new Pass(samples, IntStream.range(0, 5).toArray(), 5);
        check(stage(feed, pass), pass, 4);
      }
      assertThat(train.copied()).hasValue(20);
      assertThat(third.copied()).hasValue(5);
      assertThat(test.copied()).as("made room for the third").hasValue(20);
    }
  }

  @Test
  void residentUploadLargerThanAChunkIsWhole() {
    Drawn samples = new Drawn(40, 1 << 19, 4);
    try (CudaFeed feed = new CudaFeed(context(), 1 << 19, 2, DataPlacement.RESIDENT)) {
      Pass pass = new Pass(samples, new int[] {39, 0, 31, 32}, 4);
      check(stage(feed, pass), pass, 2);
    }
  }

  @Test
  void autoKeepsOnTheDeviceWhatTakesAQuarterOfTheFreeMemory() {
    int imageBytes = 1 << 16;
    try (CudaFeed feed = new CudaFeed(context(), imageBytes, 2, DataPlacement.AUTO, SMALL_RING)) {
      assertThat(feed.placed()).isNull();
      Pass small = new Pass(new Drawn(3, imageBytes, 1), new int[] {2, 0, 1}, 3);
      check(stage(feed, small), small, 2);
      assertThat(feed.placed()).isEqualTo(DataPlacement.RESIDENT);
      int count = Math.toIntExact(context().freeBytes() / 4 / imageBytes) + 1;
      Pass large = new Pass(new Drawn(count, imageBytes, 2), new int[] {count - 1, 0}, 2);
      check(stage(feed, large), large, 2);
      assertThat(feed.placed()).isEqualTo(DataPlacement.STREAM);
    }
  }

  @Test
  void residentSamplesThatDoNotFitSaySo() {
    Drawn huge = new Drawn(Integer.MAX_VALUE, 1 << 20, 1);
    try (CudaFeed feed = new CudaFeed(context(), 1 << 20, 1, DataPlacement.RESIDENT)) {
      assertThatThrownBy(() -> feed.start(huge, new int[] {0}, 1))
          .isInstanceOf(DeviceMemoryException.class);
    }
  }

  @Test
  void orderBeyondTheSamplesFails() {
    Drawn samples = new Drawn(3, 7, 1);
    try (CudaFeed feed = new CudaFeed(context(), 7, 2, DataPlacement.AUTO)) {
      assertThatThrownBy(() -> feed.start(samples, new int[] {0, 3}, 2))
          .isInstanceOf(IndexOutOfBoundsException.class)
          .hasMessage("order[1]=3; expected 0 to 2");
      assertThatThrownBy(() -> feed.start(samples, new int[] {0}, 2))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("count=2; expected 0 to the 1 of order");
    }
  }

  @Test
  void ringThatCannotBeMadeLeavesNothingBehind() {
    assumeTrue(software(), "failures are injected by the software device");
    for (String call : List.of("alloc:3", "hostalloc:4", "cuEventCreate:6")) {
      reopen("fail=" + call + ":2");
      long before = context().allocatedBytes();
      try (CudaFeed feed = new CudaFeed(context(), 7, 4, DataPlacement.STREAM, SMALL_RING)) {
        assertThatThrownBy(() -> feed.start(new Drawn(9, 7, 1), new int[] {0}, 1))
            .hasMessageMatching("out of device memory.*|.*CUDA_ERROR_OUT_OF_MEMORY.*");
      }
      assertThat(context().allocatedBytes()).isEqualTo(before);
    }
  }

  @Test
  void closingEndsTheLoaderAndFreesAll() {
    long before = context().allocatedBytes();
    for (DataPlacement placement : DataPlacement.values()) {
      CudaFeed feed = new CudaFeed(context(), 7, 4, placement, SMALL_RING);
      feed.start(new Drawn(40, 7, 1), IntStream.range(0, 40).toArray(), 40);
      feed.next();
      feed.close();
    }
    assertThat(context().allocatedBytes()).isEqualTo(before);
    assertThat(Thread.getAllStackTraces().keySet())
        .extracting(Thread::getName)
        .doesNotContain("convtrain-loader");
  }
}
