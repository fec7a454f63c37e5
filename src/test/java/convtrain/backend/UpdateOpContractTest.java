package convtrain.backend;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.graph.EmaSpec;
import convtrain.graph.OptimizerSpec;
import convtrain.testing.Clocks;
import convtrain.testing.DeviceFloats;
import convtrain.testing.Golden;
import convtrain.testing.ReferenceOptimizer;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The ops between gradients and weights, each alone. */
class UpdateOpContractTest extends StepOpContract {
  static List<Golden.Case> optimizers() {
    return Golden.load("optimizers").cases();
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
                    new UpdateBuffers(
                        w,
                        g,
                        state(optimizer, padded),
                        floats(golden.tensor("schedule").floats()),
                        clock)));
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
                    new UpdateBuffers(w, g, state(optimizer, elements), schedule, clock(0))));
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
      own(ops.update(rule, new UpdateBuffers(w, g, state(optimizer, elements), schedule, clock(0))))
          .forward();
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
    own(ops.update(rule, new UpdateBuffers(w, g, null, floats(new float[] {1, 0}), clock(0))))
        .forward();
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
    own(ops.update(rule, new UpdateBuffers(w, g, state(optimizer, elements), schedule, clock(0))))
        .forward();
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
    Op update =
        own(ops.update(UpdateRule.of(plain), new UpdateBuffers(w, sum, null, schedule, clock)));
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
      assertThat(Clocks.batches(clock)).isEqualTo(batch + 1);
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
      Clocks.set(clock, update);
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
}
