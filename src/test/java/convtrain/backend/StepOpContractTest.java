package convtrain.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import convtrain.backend.OpFactory.Normalization;
import convtrain.backend.OpFactory.UpdateRule;
import convtrain.graph.DataPlacement;
import convtrain.graph.EmaSpec;
import convtrain.graph.LossSpec;
import convtrain.graph.OptimizerSpec;
import convtrain.graph.Shape;
import convtrain.testing.ArraySamples;
import convtrain.testing.DeviceFloats;
import convtrain.testing.Golden;
import convtrain.testing.ReferenceOptimizer;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The ops of a step that are no layers, and memory. */
class StepOpContractTest extends BackendContract {
  private final List<AutoCloseable> owned = new ArrayList<>();

  static List<Golden.Case> losses() {
    return Golden.load("cross_entropy").cases();
  }

  static List<Golden.Case> furtherLosses() {
    return Golden.load("losses").cases();
  }

  static List<Golden.Case> optimizers() {
    return Golden.load("optimizers").cases();
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

  private DeviceBuffer floats(float[] values) {
    DeviceBuffer buffer = own(backend().allocate((long) values.length * Float.BYTES));
    DeviceFloats.write(values, buffer);
    return buffer;
  }

  private DeviceBuffer ints(int[] values) {
    ByteBuffer bytes = DeviceFloats.host(values.length * Integer.BYTES);
    bytes.asIntBuffer().put(values);
    DeviceBuffer buffer = own(backend().allocate(bytes.capacity()));
    buffer.write(0, bytes);
    return buffer;
  }

  private DeviceBuffer clock(long step) {
    DeviceBuffer clock = own(backend().allocate(StepClock.BYTES));
    StepClock.write(clock, step);
    return clock;
  }

  private DeviceBuffer metrics() {
    DeviceBuffer metrics = own(backend().allocate(StepMetrics.BYTES));
    StepMetrics.clear(metrics);
    return metrics;
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
    Op op = own(ops.loss(spec, classes, floats(z), given, targets, gradient, metrics, clock(3)));
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
    Op op = own(ops.loss(spec, 2, logits, labels, null, null, metrics, clock));
    op.forward();
    backend().synchronize();
    assertThat(StepMetrics.read(metrics).firstBadStep()).isEqualTo(-1);
    DeviceFloats.write(new float[] {1, 2, bad, 4}, logits);
    for (int step = 7; step < 9; step++) {
      StepClock.write(clock, step);
      op.forward();
      backend().synchronize();
      assertThat(StepMetrics.read(metrics).firstBadStep()).isEqualTo(7);
    }
    DeviceFloats.write(new float[] {1, 2, 3, 4}, logits);
    StepClock.write(clock, 9);
    op.forward();
    backend().synchronize();
    assertThat(StepMetrics.read(metrics).firstBadStep()).isEqualTo(7);
    assertThat(StepMetrics.read(metrics).samples()).isEqualTo(8);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("optimizers")
  void parametersFollowPyTorchForFiftySteps(Golden.Case golden) {
    OptimizerSpec optimizer = golden.spec("optimizer", OptimizerSpec.class);
    float[] w0 = golden.tensor("w0").floats();
    // What pads the flat buffer: zero at first, with no gradient.
    int padded = w0.length + 11;
    DeviceBuffer w = floats(Arrays.copyOf(w0, padded));
    DeviceBuffer g = floats(new float[padded]);
    DeviceBuffer clock = clock(0);
    Op op =
        own(
            backend()
                .ops(1, true)
                .update(
                    UpdateRule.of(optimizer),
                    w,
                    g,
                    state(optimizer, padded),
                    floats(golden.tensor("schedule").floats()),
                    clock));
    float[] gradients = golden.tensor("gradients").floats();
    int compared = 0;
    for (int step = 0; step < 50; step++) {
      int start = step * w0.length;
      DeviceFloats.write(Arrays.copyOfRange(gradients, start, start + w0.length), g);
      assertThat(StepClock.read(clock)).isEqualTo(step);
      op.forward();
      backend().synchronize();
      float[] found = DeviceFloats.read(w);
      String kept = "w" + (step + 1);
      if (golden.has(kept)) {
        double[] values = DeviceFloats.doubles(Arrays.copyOf(found, w0.length));
        Tolerance.of(Tolerance.UPDATE).check(kept, values, golden.tensor(kept).values());
        compared++;
      }
      assertThat(Arrays.copyOfRange(found, w0.length, padded)).containsOnly(0f);
    }
    assertThat(compared).isEqualTo(4);
  }

  private DeviceBuffer state(OptimizerSpec optimizer, int elements) {
    int slots = optimizer.stateSlots();
    return slots == 0 ? null : floats(new float[slots * elements]);
  }

  static List<OptimizerSpec> large() {
    return List.of(
        new OptimizerSpec.Sgd(0.1, null, null, null, 0.01, null),
        new OptimizerSpec.Sgd(0.1, 0.9, null, true, 0.01, null),
        new OptimizerSpec.Adam(0.01, null, null, 0.01, null),
        new OptimizerSpec.AdamW(0.01, null, null, null, null));
  }

  @ParameterizedTest
  @MethodSource("large")
  void manyParametersAreUpdatedLikeFew(OptimizerSpec optimizer) {
    int elements = 200_003;
    Random random = new Random(3);
    float[] w0 = normals(elements, random);
    DeviceBuffer w = floats(w0);
    DeviceBuffer g = floats(new float[elements]);
    float lr = optimizer.lr().floatValue();
    float momentum = (float) optimizer.momentumLike();
    DeviceBuffer schedule = floats(new float[] {lr, momentum, lr / 2, momentum, lr, momentum});
    Op op =
        own(
            backend()
                .ops(1, true)
                .update(
                    UpdateRule.of(optimizer),
                    w,
                    g,
                    state(optimizer, elements),
                    schedule,
                    clock(0)));
    double[] expected = DeviceFloats.doubles(w0);
    ReferenceOptimizer reference = new ReferenceOptimizer(optimizer, elements);
    for (int step = 0; step < 3; step++) {
      float[] gradient = normals(elements, random);
      DeviceFloats.write(gradient, g);
      op.forward();
      float rate = step == 1 ? lr / 2 : lr;
      reference.step(expected, DeviceFloats.doubles(gradient), rate, momentum);
    }
    backend().synchronize();
    double[] found = DeviceFloats.doubles(DeviceFloats.read(w));
    Tolerance.of(Tolerance.UPDATE).check("w3", found, expected);
  }

  @ParameterizedTest
  @MethodSource("large")
  void normOfAllGradientsTogetherIsBounded(OptimizerSpec optimizer) {
    int elements = 100_003;
    Random random = new Random(4);
    float[] gradient = normals(elements, random);
    double norm = Math.sqrt(squares(gradient));
    // Two thirds of the norm; then a bound that is not reached.
    for (double bound : new double[] {norm / 1.5, norm * 1.01}) {
      float[] w0 = normals(elements, random);
      DeviceBuffer w = floats(w0);
      float lr = optimizer.lr().floatValue();
      float momentum = (float) optimizer.momentumLike();
      DeviceBuffer schedule = floats(new float[] {lr, momentum});
      UpdateRule rule = new UpdateRule(optimizer, bound, elements);
      OpFactory ops = backend().ops(1, true);
      DeviceBuffer g = floats(gradient);
      own(ops.update(rule, w, g, state(optimizer, elements), schedule, clock(0))).forward();
      double factor = Math.min(1, bound / (norm + 1e-6));
      double[] expected = DeviceFloats.doubles(w0);
      double[] clipped =
          Arrays.stream(DeviceFloats.doubles(gradient)).map(x -> x * factor).toArray();
      new ReferenceOptimizer(optimizer, elements).step(expected, clipped, lr, momentum);
      backend().synchronize();
      double[] found = DeviceFloats.doubles(DeviceFloats.read(w));
      Tolerance.of(Tolerance.UPDATE).check("w", found, expected);
      assertThat(DeviceFloats.read(g)).isEqualTo(gradient);
    }
  }

  private static double squares(float[] values) {
    return Arrays.stream(DeviceFloats.doubles(values)).map(x -> x * x).sum();
  }

  @Test
  void boundedNormThatIsNoNumberSpoilsTheWeights() {
    OptimizerSpec plain = new OptimizerSpec.Sgd(1.0, null, null, null, null, null);
    DeviceBuffer w = floats(new float[] {1, 2, 3});
    UpdateRule rule = new UpdateRule(plain, 1.0, 3);
    DeviceBuffer g = floats(new float[] {1, Float.NaN, 1});
    OpFactory ops = backend().ops(1, true);
    own(ops.update(rule, w, g, null, floats(new float[] {1, 0}), clock(0))).forward();
    backend().synchronize();
    assertThat(DeviceFloats.read(w)).containsOnly(Float.NaN);
  }

  @ParameterizedTest
  @MethodSource("large")
  void weightDecayEndsAtItsBound(OptimizerSpec optimizer) {
    int decayed = 5_003;
    int elements = 10_001;
    DeviceBuffer w = floats(normals(elements, new Random(5)));
    float[] w0 = DeviceFloats.read(w);
    DeviceBuffer g = floats(new float[elements]);
    DeviceBuffer schedule = floats(new float[] {0.5f, 0});
    UpdateRule rule = new UpdateRule(optimizer, null, decayed);
    OpFactory ops = backend().ops(1, true);
    own(ops.update(rule, w, g, state(optimizer, elements), schedule, clock(0))).forward();
    backend().synchronize();
    float[] found = DeviceFloats.read(w);
    // Without gradients nothing moves but by decay.
    for (int i = 0; i < elements; i++) {
      if (i < decayed) {
        assertThat(found[i]).as("w[%d]", i).isNotEqualTo(w0[i]);
      } else {
        assertThat(found[i]).as("w[%d]", i).isEqualTo(w0[i]);
      }
    }
  }

  @Test
  void gradientsOfSeveralBatchesAreAveragedForOneUpdate() {
    int elements = 100_003;
    Random random = new Random(6);
    DeviceBuffer g = floats(new float[elements]);
    DeviceBuffer sum = floats(new float[elements]);
    DeviceFloats.spoil(sum);
    DeviceBuffer w = floats(new float[elements]);
    DeviceBuffer clock = clock(0);
    OptimizerSpec plain = new OptimizerSpec.Sgd(1.0, null, null, null, null, null);
    OpFactory ops = backend().ops(1, true);
    Op accumulate = own(ops.accumulate(g, sum, clock));
    DeviceBuffer schedule = floats(new float[] {1, 0, 0.5f, 0});
    Op update = own(ops.update(UpdateRule.of(plain), w, sum, null, schedule, clock));
    double[] expected = new double[elements];
    // Three batches at a learning rate of 1, then two at 1/2.
    for (int batch = 0; batch < 5; batch++) {
      float[] gradient = normals(elements, random);
      DeviceFloats.write(gradient, g);
      accumulate.forward();
      for (int i = 0; i < elements; i++) {
        expected[i] -= gradient[i] / (batch < 3 ? 3.0 : 4.0);
      }
      if (batch == 2 || batch == 4) {
        update.forward();
      }
      backend().synchronize();
      assertThat(StepClock.readBatches(clock)).isEqualTo(batch + 1);
      assertThat(StepClock.read(clock)).isEqualTo(batch < 2 ? 0 : batch < 4 ? 1 : 2);
    }
    double[] found = DeviceFloats.doubles(DeviceFloats.read(w));
    Tolerance.of(Tolerance.UPDATE).check("w", found, expected);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3})
  void averagesFollowTheValuesEverySoManyUpdates(int every) {
    int elements = 100_003;
    Random random = new Random(7);
    float[] a0 = normals(elements, random);
    DeviceBuffer averages = floats(a0);
    DeviceBuffer values = floats(new float[elements]);
    DeviceBuffer clock = clock(0);
    Op op = own(backend().ops(1, true).average(new EmaSpec(0.4, every), values, averages, clock));
    double[] expected = DeviceFloats.doubles(a0);
    // Of the factors 2/11, 3/12, 4/13, 5/14, 6/15, 7/16 the last is above the decay.
    for (int update = 1; update <= 6 * every; update++) {
      float[] value = normals(elements, random);
      DeviceFloats.write(value, values);
      StepClock.write(clock, update);
      op.forward();
      backend().synchronize();
      if (update % every == 0) {
        double t = (double) update / every;
        double decay = Math.min(0.4, (1 + t) / (10 + t));
        for (int i = 0; i < elements; i++) {
          expected[i] = decay * expected[i] + (1 - decay) * value[i];
        }
      }
    }
    double[] found = DeviceFloats.doubles(DeviceFloats.read(averages));
    Tolerance.of(Tolerance.UPDATE).check("averages", found, expected);
  }

  private static float[] normals(int elements, Random random) {
    float[] values = new float[elements];
    for (int i = 0; i < elements; i++) {
      values[i] = (float) random.nextGaussian();
    }
    return values;
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
    Op op = own(backend().ops(n, true).stage(feed, new Normalization(image, mean, std), x, labels));
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
