package convtrain.backend;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.backend.cpu.CpuBackend;
import convtrain.graph.AugmentSpec;
import convtrain.graph.DataPlacement;
import convtrain.graph.LossSpec;
import convtrain.graph.MixSpec;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import convtrain.testing.ArraySamples;
import convtrain.testing.Clocks;
import convtrain.testing.DeviceFloats;
import convtrain.testing.SpecJson;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * The ops of a step that are no layers, with 16-bit activations: what the CPU gives in fp32, of
 * inputs that 16 bits hold, rounded once.
 */
class ReducedStepTest extends ReducedContract {
  private static final int N = 5;
  private static final int CLASSES = 4;

  private final List<AutoCloseable> owned = new ArrayList<>();

  /** A backend to compute on, in a precision. */
  private interface Computation {
    float[] on(Backend backend, Precision precision);
  }

  @AfterEach
  void release() throws Exception {
    for (int i = owned.size() - 1; i >= 0; i--) {
      owned.get(i).close();
    }
  }

  private <T extends AutoCloseable> T own(T resource) {
    owned.add(resource);
    return resource;
  }

  private DeviceBuffer tensor(Backend backend, Precision precision, float[] values) {
    DeviceBuffer buffer = own(backend.allocate((long) values.length * precision.elementBytes()));
    DeviceFloats.write(precision, values, buffer);
    return buffer;
  }

  private DeviceBuffer ints(Backend backend, int[] values) {
    ByteBuffer bytes = DeviceFloats.host(values.length * Integer.BYTES);
    bytes.asIntBuffer().put(values);
    DeviceBuffer buffer = own(backend.allocate(bytes.capacity()));
    buffer.write(0, bytes);
    return buffer;
  }

  private float[] normals(int count) {
    double[] values = new Random(count).doubles(count, -2, 2).toArray();
    return DeviceFloats.floats(DeviceFloats.rounded(precision(), values));
  }

  private Backend exact() {
    return own(new CpuBackend(BackendContract.THREADS));
  }

  private void check(Computation computation) {
    float[] expected = computation.on(exact(), Precision.FP32);
    float[] found = computation.on(backend(), precision());
    double[] rounded = DeviceFloats.rounded(precision(), DeviceFloats.doubles(expected));
    assertThat(found).isEqualTo(DeviceFloats.floats(rounded));
    assertThat(found).isNotEqualTo(expected);
  }

  private float[] staged(
      Backend backend, Precision precision, Shape image, Augmentation augmentation) {
    byte[] bytes = new byte[N * image.elements()];
    new Random(1).nextBytes(bytes);
    Feed feed = own(backend.feed(image.elements(), N, DataPlacement.AUTO));
    feed.start(new ArraySamples(bytes, new int[N]), new int[] {0, 1, 2, 3, 4}, N, 1);
    assertThat(feed.next()).isEqualTo(N);
    DeviceBuffer x = tensor(backend, precision, new float[bytes.length]);
    Normalization normalization =
        new Normalization(image, new float[] {0.13f, 0.5f, 0.25f}, new float[] {0.3f, 0.25f, 2f});
    Op op =
        own(
            backend
                .ops(N, true)
                .stage(feed, normalization, augmentation, x, ints(backend, new int[N])));
    op.forward();
    backend.synchronize();
    return DeviceFloats.read(precision, x);
  }

  @Test
  void stagedImagesAreRoundedOnce() {
    check((backend, precision) -> staged(backend, precision, Shape.image(3, 7, 9), null));
  }

  @Test
  void variedImagesAreRoundedOnce() {
    AugmentSpec spec =
        SpecJson.read(
            SpecJson.parse("{\"random_affine\": {\"degrees\": 20}, \"random_erasing\": {}}"),
            AugmentSpec.class);
    check(
        (backend, precision) ->
            staged(backend, precision, Shape.image(3, 7, 9), new Augmentation(spec, 3)));
  }

  @ParameterizedTest
  @ValueSource(strings = {"mixup", "cutmix"})
  void mixedImagesAreRoundedOnce(String how) {
    Shape image = Shape.image(3, 5, 7);
    MixSpec spec = how.equals("mixup") ? new MixSpec.Mixup(1.0) : new MixSpec.Cutmix(1.0);
    Computation mixing =
        (backend, precision) -> {
          DeviceBuffer clock = own(backend.allocate(StepClock.BYTES));
          Clocks.set(clock, 7);
          DeviceBuffer x = tensor(backend, precision, new float[N * image.elements()]);
          DeviceBuffer staged = tensor(backend, precision, normals(N * image.elements()));
          DeviceBuffer targets = own(backend.allocate(N * CLASSES * Float.BYTES));
          Op op =
              own(
                  backend
                      .ops(N, true)
                      .mix(
                          spec,
                          image,
                          CLASSES,
                          new RandomState(21, clock),
                          new MixBuffers(
                              staged, ints(backend, new int[] {0, 3, 1, 1, 2}), x, targets)));
          op.forward();
          backend.synchronize();
          return DeviceFloats.read(precision, x);
        };
    if (how.equals("mixup")) {
      check(mixing);
    } else {
      float[] copied = mixing.on(exact(), Precision.FP32);
      assertThat(mixing.on(backend(), precision())).isEqualTo(copied);
    }
  }

  /** Halves scale the loss, by a power of two that the gradient's exponent may not stand. */
  @ParameterizedTest
  @ValueSource(strings = {"cross_entropy", "mse"})
  void gradientsOfTheLossAreRoundedOnce(String type) {
    Assumptions.assumeTrue(precision() == Precision.BF16);
    LossSpec spec = type.equals("mse") ? new LossSpec.Mse() : LossSpec.crossEntropy();
    check(
        (backend, precision) -> {
          DeviceBuffer dz = tensor(backend, precision, new float[N * CLASSES]);
          DeviceBuffer metrics = own(backend.allocate(StepMetrics.BYTES));
          StepMetrics.clear(metrics);
          DeviceBuffer clock = own(backend.allocate(StepClock.BYTES));
          Clocks.set(clock, 3);
          Op op =
              own(
                  backend
                      .ops(N, true)
                      .loss(
                          spec,
                          CLASSES,
                          new LossBuffers(
                              tensor(backend, precision, normals(N * CLASSES)),
                              ints(backend, new int[] {0, 3, 1, 1, 2}),
                              null,
                              dz,
                              metrics,
                              clock)));
          op.forward();
          backend.synchronize();
          assertThat(StepMetrics.read(metrics).samples()).isEqualTo(N);
          return DeviceFloats.read(precision, dz);
        });
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3, 9, 17})
  void sumsOfGradientsAreRounded(int count) {
    int elements = 1003;
    List<DeviceBuffer> parts = new ArrayList<>();
    double[] expected = new double[elements];
    for (int i = 0; i < count; i++) {
      float[] part = normals(elements + i);
      parts.add(tensor(backend(), precision(), part).slice(0, bytes(elements)));
      for (int e = 0; e < elements; e++) {
        expected[e] += part[e];
      }
    }
    DeviceBuffer total = tensor(backend(), precision(), new float[elements]);
    own(backend().ops(1, true).sum(parts, total)).forward();
    backend().synchronize();
    double[] found = DeviceFloats.doubles(DeviceFloats.read(precision(), total));
    Tolerance.rounded(precision(), count - 1).check("total", found, expected);
  }

  private long bytes(int elements) {
    return (long) elements * precision().elementBytes();
  }
}
