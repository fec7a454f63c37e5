package convtrain.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import convtrain.backend.Backend;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.LossBuffers;
import convtrain.backend.Op;
import convtrain.backend.OpFactory;
import convtrain.backend.StepClock;
import convtrain.backend.StepMetrics;
import convtrain.backend.UpdateBuffers;
import convtrain.backend.UpdateRule;
import convtrain.graph.LossSpec;
import convtrain.graph.OptimizerSpec;
import convtrain.graph.Precision;
import convtrain.testing.Clocks;
import convtrain.testing.DeviceFloats;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Dynamic loss scaling in fp16, PyTorch's GradScaler. */
class LossScaleTest {
  private static final OptimizerSpec PLAIN =
      new OptimizerSpec.Sgd(1.0, null, null, null, null, null);
  private static final LossSpec CROSS_ENTROPY = LossSpec.crossEntropy();
  private static final double FIRST = 65536;

  private final List<AutoCloseable> owned = new ArrayList<>();
  private Backend backend;
  private OpFactory ops;
  private DeviceBuffer parameters;
  private DeviceBuffer gradients;
  private DeviceBuffer clock;

  @BeforeEach
  void open() {
    backend = own(CudaDevice.open(Precision.FP16));
    ops = backend.ops(1, true);
    parameters = floats(1, 2, 3, 4, 5);
    gradients = floats(0, 0, 0, 0, 0);
    clock = own(backend.allocate(StepClock.BYTES));
  }

  @AfterEach
  void close() throws Exception {
    for (int i = owned.size() - 1; i >= 0; i--) {
      owned.get(i).close();
    }
  }

  private <T extends AutoCloseable> T own(T resource) {
    owned.add(resource);
    return resource;
  }

  private DeviceBuffer floats(float... values) {
    DeviceBuffer buffer = own(backend.allocate((long) values.length * Float.BYTES));
    DeviceFloats.write(values, buffer);
    return buffer;
  }

  private Op update(OptimizerSpec optimizer, float learningRate, int steps) {
    float[] schedule = new float[2 * steps];
    for (int i = 0; i < schedule.length; i += 2) {
      schedule[i] = learningRate;
      schedule[i + 1] = (float) optimizer.momentumLike();
    }
    int slots = optimizer.stateSlots();
    DeviceBuffer state = slots == 0 ? null : floats(new float[slots * 5]);
    return own(
        ops.update(
            UpdateRule.of(optimizer),
            new UpdateBuffers(parameters, gradients, state, floats(schedule), clock)));
  }

  private void step(Op update, double... gradient) {
    DeviceFloats.write(DeviceFloats.floats(gradient), gradients);
    update.forward();
    backend.synchronize();
  }

  /** What the loss op multiplies a gradient of 1/2 by. */
  private double lossScale() {
    DeviceBuffer logits = own(backend.allocate(2 * Short.BYTES));
    DeviceBuffer labels = own(backend.allocate(Integer.BYTES));
    DeviceBuffer dLogits = own(backend.allocate(2 * Short.BYTES));
    DeviceBuffer metrics = own(backend.allocate(StepMetrics.BYTES));
    Op loss =
        own(
            ops.loss(
                CROSS_ENTROPY, 2, new LossBuffers(logits, labels, null, dLogits, metrics, clock)));
    loss.forward();
    backend.synchronize();
    ByteBuffer halves = DeviceFloats.host(2 * Short.BYTES);
    dLogits.read(0, halves);
    float[] gradient = new float[2];
    Precision.FP16.decode(halves, gradient, 2);
    assertThat(gradient[0]).isEqualTo(-gradient[1]);
    return 2 * gradient[1];
  }

  @Test
  void gradientsOfTheLossAreScaledAndUpdatesAreNot() {
    assertThat(lossScale()).isEqualTo(FIRST);
    step(update(PLAIN, 0.5f, 1), FIRST, 0, 0, 2 * FIRST, -FIRST);
    assertThat(DeviceFloats.read(parameters)).containsExactly(0.5f, 2, 3, 3, 5.5f);
    assertThat(lossScale()).isEqualTo(FIRST);
  }

  @Test
  void anOverflowSkipsTheUpdateAndHalvesTheScale() {
    Op update = update(PLAIN, 0.5f, 3);
    step(update, 1, 1, 1, 1, Double.NaN);
    step(update, Double.NEGATIVE_INFINITY, 1, 1, 1, 1);
    assertThat(DeviceFloats.read(parameters)).containsExactly(1, 2, 3, 4, 5);
    assertThat(StepClock.read(clock)).isEqualTo(2);
    assertThat(lossScale()).isEqualTo(FIRST / 4);
    step(update, FIRST / 4, 0, 0, 0, 0);
    assertThat(DeviceFloats.read(parameters)).containsExactly(0.5f, 2, 3, 4, 5);
    assertThat(StepClock.read(clock)).isEqualTo(3);
  }

  @Test
  void optimizersCountPerformedUpdatesOnly() {
    // Adam's first update moves by the learning rate, whatever the gradient.
    Op adam = update(new OptimizerSpec.Adam(0.25, null, null, null, null), 0.25f, 2);
    step(adam, Double.POSITIVE_INFINITY, 0, 0, 0, 0);
    step(adam, FIRST, -FIRST, 3 * FIRST, 0, 0);
    float[] moved = DeviceFloats.read(parameters);
    assertThat(moved[0]).isCloseTo(0.75f, within(1e-6f));
    assertThat(moved[1]).isCloseTo(2.25f, within(1e-6f));
    assertThat(moved[2]).isCloseTo(2.75f, within(1e-6f));
    assertThat(moved[3]).isEqualTo(4);
  }

  /** Halved so often, the first scale would be 0, which stands for a run's first. */
  @Test
  void updatesSkippedInARowStayCountedHoweverMany() {
    Op adam = update(new OptimizerSpec.Adam(0.25, null, null, null, null), 0.25f, 201);
    DeviceFloats.write(new float[] {Float.NaN, 0, 0, 0, 0}, gradients);
    for (int i = 0; i < 200; i++) {
      adam.forward();
    }
    backend.synchronize();
    assertThat(lossScale()).isEqualTo(0x1p-14);
    step(adam, 0x1p-14, 0, 0, 0, 0);
    float[] moved = DeviceFloats.read(parameters);
    assertThat(moved[0]).isCloseTo(0.75f, within(1e-6f));
    assertThat(moved[1]).isEqualTo(2);
  }

  @Test
  void firstPerformedUpdateStartsTheMomentum() {
    // Dampening holds back every gradient but the first.
    Op sgd = update(new OptimizerSpec.Sgd(1.0, 0.5, 0.75, null, null, null), 1, 3);
    step(sgd, Double.NaN, 0, 0, 0, 0);
    step(sgd, FIRST / 2, 0, 0, 0, 0);
    assertThat(DeviceFloats.read(parameters)).containsExactly(0, 2, 3, 4, 5);
    step(sgd, FIRST / 2, 0, 0, 0, 0);
    assertThat(DeviceFloats.read(parameters)).containsExactly(-0.75f, 2, 3, 4, 5);
  }

  @Test
  void theScaleDoublesAfterTwoThousandUpdatesInARow() {
    Op update = update(PLAIN, 0, 2002);
    step(update, Double.NaN, 0, 0, 0, 0);
    DeviceFloats.write(new float[5], gradients);
    for (int i = 1; i < 2000; i++) {
      update.forward();
    }
    backend.synchronize();
    assertThat(lossScale()).isEqualTo(FIRST / 2);
    step(update, 0, 0, 0, 0, 0);
    assertThat(lossScale()).isEqualTo(FIRST);
  }

  @Test
  void theBoundedNormIsThatOfUnscaledGradients() {
    UpdateRule rule = new UpdateRule(PLAIN, 2.5, 5);
    Op update =
        own(ops.update(rule, new UpdateBuffers(parameters, gradients, null, floats(1, 0), clock)));
    // The norm of (3, 4) is 5: twice the bound.
    step(update, 3 * FIRST, 4 * FIRST, 0, 0, 0);
    float[] moved = DeviceFloats.read(parameters);
    assertThat(moved[0]).isCloseTo(-0.5f, within(1e-6f));
    assertThat(moved[1]).isCloseTo(0, within(1e-6f));
    assertThat(moved[2]).isEqualTo(3);
  }

  @Test
  void anOverflowInOneOfSeveralBatchesSkipsTheirUpdate() {
    DeviceBuffer sum = floats(new float[5]);
    Op accumulate = own(ops.accumulate(gradients, sum, clock));
    UpdateRule rule = UpdateRule.of(PLAIN);
    DeviceBuffer schedule = floats(1, 0, 1, 0);
    Op update = own(ops.update(rule, new UpdateBuffers(parameters, sum, null, schedule, clock)));
    step(accumulate, Double.POSITIVE_INFINITY, 0, 0, 0, 0);
    step(accumulate, FIRST, 0, 0, 0, 0);
    assertThat(lossScale()).isEqualTo(FIRST);
    update.forward();
    assertThat(lossScale()).isEqualTo(FIRST / 2);
    step(accumulate, FIRST / 2, 0, 0, 0, 0);
    step(accumulate, 2 * FIRST, 0, 0, 0, 0);
    update.forward();
    backend.synchronize();
    assertThat(DeviceFloats.read(parameters)).containsExactly(-1.5f, 2, 3, 4, 5);
    assertThat(Clocks.batches(clock)).isEqualTo(4);
    assertThat(StepClock.read(clock)).isEqualTo(2);
  }

  @Test
  void anotherRunBeginsWithTheFirstScale() {
    Op update = update(PLAIN, 0, 1);
    step(update, Double.NaN, 0, 0, 0, 0);
    assertThat(lossScale()).isEqualTo(FIRST / 2);
    Clocks.set(clock, 0);
    assertThat(lossScale()).isEqualTo(FIRST);
  }
}
