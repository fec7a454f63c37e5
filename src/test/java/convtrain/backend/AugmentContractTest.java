package convtrain.backend;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import convtrain.graph.AugmentSpec;
import convtrain.graph.DataPlacement;
import convtrain.graph.Shape;
import convtrain.testing.ArraySamples;
import convtrain.testing.DeviceFloats;
import convtrain.testing.Golden;
import convtrain.testing.ReferenceAugment;
import convtrain.testing.SpecJson;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Staging of varied images: as PyTorch would, and the same to the bit wherever and however run. */
class AugmentContractTest extends BackendContract {
  private static final String EVERYTHING =
      """
      {"random_affine": {"degrees": 20, "translate": [0.2, 0.1], "scale": [0.7, 1.3],
                         "shear": [-10, 5, -3, 8]},
       "elastic_transform": {"alpha": 40, "sigma": 1.5},
       "random_crop": {"padding": 2}, "random_erasing": {"p": 0.6, "value": -0.7}}
      """;

  static List<Golden.Case> goldens() {
    return Golden.load("augment").cases();
  }

  static List<String> parts() {
    return List.of(
        EVERYTHING,
        "{\"random_affine\": {\"degrees\": 180, \"shear\": 30}}",
        "{\"elastic_transform\": {\"sigma\": 1}}",
        "{\"random_crop\": {\"padding\": 4}}",
        "{\"random_erasing\": {\"p\": 1}}");
  }

  private static AugmentSpec spec(String words) {
    return SpecJson.read(SpecJson.parse(words), AugmentSpec.class);
  }

  private static Normalization normalization(Shape image) {
    float[] mean = Arrays.copyOf(new float[] {0.1307f, 0.5f, 0.25f}, image.channels());
    float[] std = Arrays.copyOf(new float[] {0.3081f, 0.25f, 2f}, image.channels());
    return new Normalization(image, mean, std);
  }

  private static byte[] bytes(int count, Shape image) {
    byte[] bytes = new byte[count * image.elements()];
    new Random(count).nextBytes(bytes);
    return bytes;
  }

  /** A feed with the staging ops that read it. */
  private static final class Stages implements AutoCloseable {
    private final Shape image;
    private final Feed feed;
    private final DeviceBuffer x;
    private final DeviceBuffer labels;
    private final Op[] bySize;

    Stages(
        Normalization normalization, AugmentSpec spec, long seed, int batch, DataPlacement place) {
      image = normalization.image();
      feed = backend().feed(image.elements(), batch, place);
      x = backend().allocate((long) batch * image.elements() * Float.BYTES);
      labels = backend().allocate((long) batch * Integer.BYTES);
      bySize = new Op[batch + 1];
      for (int n = 1; n <= batch; n++) {
        DeviceBuffer part = x.slice(0, (long) n * image.elements() * Float.BYTES);
        bySize[n] =
            backend()
                .ops(n, true)
                .stage(
                    feed,
                    normalization,
                    new Augmentation(spec, seed),
                    part,
                    labels.slice(0, (long) n * Integer.BYTES));
      }
    }

    /** Stages all of a pass and gives x [C, H, W] of each, in the pass's order. */
    float[][] pass(Samples samples, int[] order, int epoch) {
      float[][] staged = new float[order.length][];
      feed.start(samples, order, order.length, epoch);
      int done = 0;
      for (int n = feed.next(); n > 0; n = feed.next()) {
        bySize[n].forward();
        backend().synchronize();
        float[] read = DeviceFloats.read(x);
        ByteBuffer classes = DeviceFloats.host(n * Integer.BYTES);
        labels.slice(0, classes.capacity()).read(0, classes);
        for (int i = 0; i < n; i++) {
          int from = i * image.elements();
          double[] planes =
              DeviceFloats.fromDevice(
                  Arrays.copyOfRange(read, from, from + image.elements()), image);
          staged[done + i] = DeviceFloats.floats(planes);
          assertThat(classes.getInt(i * Integer.BYTES)).isEqualTo(samples.label(order[done + i]));
        }
        done += n;
      }
      assertThat(done).isEqualTo(order.length);
      return staged;
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

  @ParameterizedTest(name = "{0}")
  @MethodSource("goldens")
  void imagesAreThosePyTorchMakes(Golden.Case golden) {
    List<Integer> dims = golden.tensor("bytes").dims();
    Shape image = Shape.image(dims.get(1), dims.get(2), dims.get(3));
    float[] mean = floats(golden, "mean");
    float[] std = floats(golden, "std");
    int[] order = golden.tensor("samples").ints();
    int[] values = golden.tensor("bytes").ints();
    Samples sparse = new Sparse(order, values, image.elements());
    AugmentSpec spec = golden.spec("augment", AugmentSpec.class);
    long seed = Long.parseUnsignedLong(golden.words().get("seed").textValue());
    int epoch = golden.words().get("epoch").intValue();
    double[] expected = golden.tensor("x").values();
    try (Stages stages =
        new Stages(new Normalization(image, mean, std), spec, seed, 3, DataPlacement.STREAM)) {
      float[][] found = stages.pass(sparse, order, epoch);
      for (int i = 0; i < order.length; i++) {
        double[] part =
            Arrays.copyOfRange(expected, i * image.elements(), (i + 1) * image.elements());
        Tolerance.of(Tolerance.AUGMENT)
            .check("x of sample " + order[i], DeviceFloats.doubles(found[i]), part);
      }
    }
  }

  private static float[] floats(Golden.Case golden, String key) {
    float[] values = new float[golden.words().get(key).size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = golden.words().get(key).get(i).floatValue();
    }
    return values;
  }

  /** A large data set of which a few samples are there. */
  private record Sparse(int[] indices, int[] values, int elements) implements Samples {
    @Override
    public int count() {
      return 60_000;
    }

    @Override
    public void copyImage(int index, ByteBuffer into) {
      int at =
          IntStream.range(0, indices.length)
              .filter(i -> indices[i] == index)
              .findFirst()
              .orElseThrow();
      for (int i = 0; i < elements; i++) {
        into.put((byte) values[at * elements + i]);
      }
    }

    @Override
    public int label(int index) {
      return index % 10;
    }
  }

  @ParameterizedTest
  @MethodSource("parts")
  void imagesAreTheReferencesToTheBit(String words) {
    AugmentSpec spec = spec(words);
    for (Shape image : List.of(Shape.image(1, 8, 12), Shape.image(3, 11, 7))) {
      byte[] bytes = bytes(9, image);
      int[] order = {4, 8, 0, 1, 2, 3, 5, 6, 7};
      ReferenceAugment reference =
          new ReferenceAugment(normalization(image), new Augmentation(spec, 77));
      try (Stages stages = new Stages(normalization(image), spec, 77, 4, DataPlacement.AUTO)) {
        float[][] staged = stages.pass(new ArraySamples(bytes, new int[9]), order, 3);
        for (int i = 0; i < order.length; i++) {
          int from = order[i] * image.elements();
          byte[] one = Arrays.copyOfRange(bytes, from, from + image.elements());
          assertThat(staged[i]).isEqualTo(reference.of(one, 3, order[i]));
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource
  void anImageIsVariedTheSameInEveryBatchOrderAndPlacement(DataPlacement placement) {
    Shape image = Shape.image(1, 9, 9);
    AugmentSpec spec = spec(EVERYTHING);
    Samples samples = new ArraySamples(bytes(23, image), IntStream.range(0, 23).toArray());
    int[] straight = IntStream.range(0, 23).toArray();
    int[] other = IntStream.range(0, 23).map(i -> (i * 7 + 5) % 23).toArray();
    try (Stages one = new Stages(normalization(image), spec, 5, 1, DataPlacement.AUTO);
        Stages eight = new Stages(normalization(image), spec, 5, 8, placement)) {
      float[][] expected = one.pass(samples, straight, 2);
      float[][] found = eight.pass(samples, other, 2);
      for (int i = 0; i < 23; i++) {
        assertThat(found[i]).as("sample %d", other[i]).isEqualTo(expected[other[i]]);
      }
    }
  }

  @Test
  void everyEpochSampleAndSeedHasItsOwn() {
    Shape image = Shape.image(1, 9, 9);
    AugmentSpec spec = spec(EVERYTHING);
    byte[] same = new byte[2 * image.elements()];
    byte[] first = bytes(1, image);
    System.arraycopy(first, 0, same, 0, first.length);
    System.arraycopy(first, 0, same, first.length, first.length);
    Samples samples = new ArraySamples(same, new int[2]);
    int[] order = {0, 1};
    try (Stages stages = new Stages(normalization(image), spec, 5, 2, DataPlacement.AUTO);
        Stages seeded = new Stages(normalization(image), spec, 6, 2, DataPlacement.AUTO)) {
      float[][] epoch1 = stages.pass(samples, order, 1);
      float[][] epoch2 = stages.pass(samples, order, 2);
      assertThat(epoch1[0]).isNotEqualTo(epoch1[1]);
      assertThat(epoch1[0]).isNotEqualTo(epoch2[0]);
      assertThat(epoch1[0]).isNotEqualTo(seeded.pass(samples, order, 1)[0]);
      assertThat(epoch1).isEqualTo(stages.pass(samples, order, 1));
    }
  }

  @Test
  void unmovedImagesAreThoseStagedPlain() {
    Shape image = Shape.image(2, 5, 6);
    AugmentSpec still = spec("{\"random_affine\": {\"degrees\": 0}}");
    byte[] bytes = bytes(4, image);
    Samples samples = new ArraySamples(bytes, new int[4]);
    Normalization normalization = normalization(image);
    float[] table = normalization.table();
    try (Stages stages = new Stages(normalization, still, 5, 4, DataPlacement.AUTO)) {
      float[][] found = stages.pass(samples, new int[] {0, 1, 2, 3}, 1);
      for (int i = 0; i < bytes.length; i++) {
        int inSample = i % image.elements();
        assertThat(found[i / image.elements()][inSample])
            .isEqualTo(table[inSample / 30 * 256 + (bytes[i] & 0xFF)]);
      }
    }
  }

  @Test
  void variedBatchesAllocateNothingOnTheJavaHeap() {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    Shape image = Shape.image(1, 9, 9);
    Samples samples = new ArraySamples(bytes(64, image), new int[64]);
    int[] order = IntStream.range(0, 64).toArray();
    long allocated = Long.MAX_VALUE;
    try (Stages stages =
        new Stages(normalization(image), spec(EVERYTHING), 5, 2, DataPlacement.AUTO)) {
      for (int pass = 0; pass < 5; pass++) {
        stages.feed.start(samples, order, order.length, pass);
        long before = threads.getCurrentThreadAllocatedBytes();
        while (stages.feed.next() > 0) {
          stages.bySize[2].forward();
        }
        allocated = Math.min(allocated, threads.getCurrentThreadAllocatedBytes() - before);
        backend().synchronize();
      }
    }
    assertThat(allocated).as("bytes in 32 batches").isLessThan(2000);
  }
}
