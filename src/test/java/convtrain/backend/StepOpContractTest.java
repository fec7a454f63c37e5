package convtrain.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import convtrain.graph.DataPlacement;
import convtrain.graph.LossSpec;
import convtrain.graph.Shape;
import convtrain.testing.ArraySamples;
import convtrain.testing.Clocks;
import convtrain.testing.DeviceFloats;
import convtrain.testing.Golden;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The ops of a step that are no layers, and memory. */
class StepOpContractTest extends StepOpContract {
  static List<Golden.Case> losses() {
    return Golden.load("cross_entropy").cases();
  }

  static List<Golden.Case> furtherLosses() {
    return Golden.load("losses").cases();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("losses")
  void crossEntropyMatchesPyTorchAndAddsToTheMetrics(Golden.Case golden) {
    float[] logits = golden.tensor("logits").floats();
    checkLoss(LossSpec.crossEntropy(), golden, logits, null, golden.tensor("dlogits").values());
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("furtherLosses")
  void smoothedSoftAndSquaredLossesMatchPyTorch(Golden.Case golden) {
    DeviceBuffer targets = golden.has("targets") ? floats(golden.tensor("targets").floats()) : null;
    LossSpec spec = golden.spec("loss", LossSpec.class);
    float[] z = golden.tensor("z").floats();
    checkLoss(spec, golden, z, targets, golden.tensor("dz").values());
  }

  private void checkLoss(
      LossSpec spec, Golden.Case golden, float[] z, DeviceBuffer targets, double[] dz) {
    int[] labels = golden.tensor("labels").ints();
    int classes = z.length / labels.length;
    DeviceBuffer gradient = floats(new float[z.length]);
    DeviceBuffer metrics = metrics();
    OpFactory ops = backend().ops(labels.length, true);
    DeviceBuffer given = ints(labels);
    Op op =
        own(
            ops.loss(
                spec,
                classes,
                new LossBuffers(floats(z), given, targets, gradient, metrics, clock(3))));
    op.forward();
    op.forward();

    backend().synchronize();
    StepMetrics sums = StepMetrics.read(metrics);
    Tolerance tolerance = Tolerance.of(Tolerance.LOSS);
    double[] loss = {sums.loss()};
    tolerance.check("loss", loss, golden.tensor("loss").values());
    assertThat(sums.samples()).isEqualTo(2 * labels.length);
    assertThat(sums.correct()).isEqualTo(2 * golden.tensor("correct").ints()[0]);
    assertThat(sums.firstBadStep()).isEqualTo(-1);
    tolerance.check("dz", DeviceFloats.doubles(DeviceFloats.read(gradient)), dz);
  }

  @ParameterizedTest
  @CsvSource({"NaN, cross_entropy", "Infinity, cross_entropy", "NaN, mse", "Infinity, mse"})
  void firstStepWhoseLossIsNoNumberIsKept(float bad, String type) {
    LossSpec spec = type.equals("mse") ? new LossSpec.Mse() : LossSpec.crossEntropy();
    DeviceBuffer logits = floats(new float[] {1, 2, 3, 4});
    DeviceBuffer metrics = metrics();
    DeviceBuffer clock = clock(6);
    // Without a gradient, as in evaluation.
    OpFactory ops = backend().ops(2, false);
    DeviceBuffer labels = ints(new int[] {0, 1});
    Op op = own(ops.loss(spec, 2, new LossBuffers(logits, labels, null, null, metrics, clock)));
    op.forward();
    backend().synchronize();
    assertThat(StepMetrics.read(metrics).firstBadStep()).isEqualTo(-1);
    DeviceFloats.write(new float[] {1, 2, bad, 4}, logits);
    for (int step = 7; step < 9; step++) {
      Clocks.set(clock, step);
      op.forward();
      backend().synchronize();
      assertThat(StepMetrics.read(metrics).firstBadStep()).isEqualTo(7);
    }
    DeviceFloats.write(new float[] {1, 2, 3, 4}, logits);
    Clocks.set(clock, 9);
    op.forward();
    backend().synchronize();
    assertThat(StepMetrics.read(metrics).firstBadStep()).isEqualTo(7);
    assertThat(StepMetrics.read(metrics).samples()).isEqualTo(8);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void stagingNormalizesBytesChannelByChannel(int channels) {
    int n = 5;
    Shape image = Shape.image(channels, 7, 9);
    float[] mean = Arrays.copyOf(new float[] {0.1307f, 0.5f, 0.25f}, channels);
    float[] std = Arrays.copyOf(new float[] {0.3081f, 0.25f, 2f}, channels);
    byte[] bytes = new byte[n * image.elements()];
    new Random(1).nextBytes(bytes);
    int[] classes = {3, 0, 9, 1, 1_000};
    // Room for a larger batch than this plan's.
    Feed feed = own(backend().feed(image.elements(), 2 * n, DataPlacement.AUTO));
    feed.start(new ArraySamples(bytes, classes), new int[] {0, 1, 2, 3, 4}, n);
    assertThat(feed.next()).isEqualTo(n);
    DeviceBuffer x = floats(new float[bytes.length]);
    DeviceBuffer labels = ints(new int[n]);
    Op op =
        own(
            backend()
                .ops(n, true)
                .stage(feed, new Normalization(image, mean, std), null, x, labels));
    op.forward();
    backend().synchronize();

    double[] expected = new double[bytes.length];
    for (int i = 0; i < expected.length; i++) {
      int c = i / 63 % channels;
      expected[i] = ((bytes[i] & 0xFF) / 255f - mean[c]) / std[c];
    }
    double[] found = DeviceFloats.fromDevice(DeviceFloats.read(x), image);
    Tolerance.of(Tolerance.STAGE).check("x", found, expected);
    ByteBuffer read = DeviceFloats.host(n * Integer.BYTES);
    labels.read(0, read);
    int[] staged = new int[n];
    read.asIntBuffer().get(staged);
    assertThat(staged).isEqualTo(classes);
  }

  @ParameterizedTest
  @ValueSource(ints = {2, 3, 5})
  void partsAreSummed(int count) {
    Random random = new Random(count);
    List<DeviceBuffer> parts = new ArrayList<>();
    double[] expected = new double[1003];
    for (int i = 0; i < count; i++) {
      float[] part = normals(expected.length, random);
      parts.add(floats(part));
      for (int e = 0; e < expected.length; e++) {
        expected[e] += part[e];
      }
    }
    float[] nan = new float[expected.length];
    Arrays.fill(nan, Float.NaN);
    DeviceBuffer total = floats(nan);
    own(backend().ops(1, true).sum(parts, total)).forward();
    backend().synchronize();
    double[] found = DeviceFloats.doubles(DeviceFloats.read(total));
    Tolerance.of(Tolerance.SUM).check("total", found, expected);
  }

  @Test
  void memoryStartsAtZero() {
    assertThat(DeviceFloats.read(own(backend().allocate(4096)))).containsOnly(0f);
    ByteBuffer host = backend().hostBuffer(100);
    while (host.hasRemaining()) {
      assertThat(host.get()).isZero();
    }
  }

  @Test
  void slicesAreViewsOfTheirBuffer() {
    DeviceBuffer buffer = floats(new float[] {1, 2, 3, 4, 5, 6});
    DeviceBuffer slice = buffer.slice(8, 12);
    assertThat(slice.bytes()).isEqualTo(12);
    assertThat(DeviceFloats.read(slice)).containsExactly(3, 4, 5);
    DeviceFloats.write(new float[] {7, 8}, slice.slice(4, 8));
    slice.close();
    assertThat(DeviceFloats.read(buffer)).containsExactly(1, 2, 3, 7, 8, 6);
  }

  @Test
  void accessOutsideABufferFails() {
    DeviceBuffer slice = floats(new float[8]).slice(8, 16);
    assertThatThrownBy(() -> slice.slice(12, 8)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> slice.slice(-4, 8)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> slice.slice(0, -1)).isInstanceOf(IndexOutOfBoundsException.class);
    ByteBuffer eight = DeviceFloats.host(8);
    assertThatThrownBy(() -> slice.write(12, eight)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> slice.read(12, eight)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> slice.read(Long.MAX_VALUE, eight))
        .isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void accessAfterCloseFails() {
    DeviceBuffer buffer = backend().allocate(64);
    DeviceBuffer slice = buffer.slice(0, 8);
    buffer.close();
    buffer.close();
    ByteBuffer eight = DeviceFloats.host(8);
    for (DeviceBuffer closed : List.of(buffer, slice)) {
      assertThatThrownBy(() -> closed.write(0, eight)).isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(() -> closed.read(0, eight)).isInstanceOf(IllegalStateException.class);
      assertThatThrownBy(() -> closed.slice(0, 4)).isInstanceOf(IllegalStateException.class);
    }
  }
}
