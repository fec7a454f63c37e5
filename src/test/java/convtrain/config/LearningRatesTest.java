package convtrain.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import convtrain.graph.OptimizerSpec;
import java.io.IOException;
import java.io.InputStream;
import java.util.List;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Against PyTorch's schedulers; src/test/python/golden_schedules.py made the values. */
class LearningRatesTest {
  /** Ours is the closed form; PyTorch multiplies step by step and gathers rounding errors. */
  private static final double RELATIVE_TOLERANCE = 1e-12;

  static Stream<Arguments> goldenCases() throws IOException {
    try (InputStream in = LearningRatesTest.class.getResourceAsStream("/golden/schedules.json")) {
      JsonNode golden = Json.MAPPER.readTree(in);
      int epochs = golden.get("epochs").intValue();
      int stepsPerEpoch = golden.get("steps_per_epoch").intValue();
      return StreamSupport.stream(golden.get("cases").spliterator(), false)
          .map(
              each ->
                  Arguments.argumentSet(
                      each.get("schedule") + " " + each.get("optimizer"),
                      each,
                      epochs,
                      stepsPerEpoch));
    }
  }

  @ParameterizedTest
  @MethodSource("goldenCases")
  void everyStepHasPyTorchsValues(JsonNode golden, int epochs, int stepsPerEpoch)
      throws IOException {
    ScheduleSpec schedule = Json.MAPPER.treeToValue(golden.get("schedule"), ScheduleSpec.class);
    OptimizerSpec optimizer = Json.MAPPER.treeToValue(golden.get("optimizer"), OptimizerSpec.class);
    LearningRates rates = new LearningRates(schedule, optimizer, epochs, stepsPerEpoch);
    JsonNode lr = golden.get("lr");
    JsonNode momentum = golden.get("momentum");
    assertThat(rates.steps()).isEqualTo(lr.size()).isGreaterThanOrEqualTo(50);
    for (int step = 0; step < lr.size(); step++) {
      assertClose("lr", step, rates.lr(step), lr.get(step).doubleValue());
      int index = momentum.size() == 1 ? 0 : step;
      assertClose("momentum", step, rates.momentum(step), momentum.get(index).doubleValue());
    }
  }

  private static void assertClose(String what, int step, double found, double expected) {
    assertThat(found)
        .as("%s of step %d", what, step)
        .isCloseTo(expected, within(Math.abs(expected) * RELATIVE_TOLERANCE));
  }

  @Test
  void goldenCasesCoverEverySchedule() throws IOException {
    Stream<String> golden =
        goldenCases()
            .map(each -> ((JsonNode) each.get()[0]).get("schedule").get("type").textValue());
    // This one follows the epochs' numbers, not the steps; train.WatchersTest has its golden rates.
    List<String> covered =
        Stream.concat(golden, Stream.of("reduce_on_plateau")).distinct().toList();
    assertThat(covered).containsExactlyInAnyOrderElementsOf(Json.typeNames(ScheduleSpec.class));
  }

  @Test
  void risingStepsOfOneCycleThatAreOnlyOneHaveTheStartValue() {
    ScheduleSpec half =
        new ScheduleSpec.OneCycle(0.5, 0.5, null, 10.0, 100.0, null, null, null, null);
    LearningRates rates = new LearningRates(half, sgd(), 1, 2);
    assertThat(rates.lr(0)).isEqualTo(0.05);
    assertThat(rates.lr(1)).isCloseTo(0.0005, within(1e-15));
    assertThat(rates.momentum(0)).isEqualTo(0.95);
  }

  @Test
  void warmUpScalesOneCycleToo() {
    ScheduleSpec plain =
        new ScheduleSpec.OneCycle(0.5, null, null, null, null, null, null, null, 0);
    ScheduleSpec warm = new ScheduleSpec.OneCycle(0.5, null, null, null, null, null, null, null, 4);
    LearningRates without = new LearningRates(plain, sgd(), 3, 10);
    LearningRates with = new LearningRates(warm, sgd(), 3, 10);
    assertThat(with.lr(1)).isCloseTo(without.lr(1) / 2, within(1e-15));
    assertThat(with.lr(4)).isEqualTo(without.lr(4));
  }

  @Test
  void stepsOutsideTheRunAreRefused() {
    LearningRates rates = new LearningRates(new ScheduleSpec.Constant(null), sgd(), 2, 5);
    assertThatThrownBy(() -> rates.lr(10)).isInstanceOf(IndexOutOfBoundsException.class);
    assertThatThrownBy(() -> rates.momentum(-1)).isInstanceOf(IndexOutOfBoundsException.class);
  }

  @Test
  void tableHoldsRateAndMomentumOfEachStepAndGoesOnWithTheLast() {
    ScheduleSpec cycle =
        new ScheduleSpec.OneCycle(0.5, 0.5, null, 10.0, 100.0, null, null, null, null);
    LearningRates rates = new LearningRates(cycle, sgd(), 1, 2);
    float last = (float) rates.lr(1);
    float momentum = (float) rates.momentum(1);
    assertThat(rates.table(3)).containsExactly(0.05f, 0.95f, last, momentum, last, momentum);
    assertThat(rates.table(1)).containsExactly(0.05f, 0.95f);
  }

  private static OptimizerSpec sgd() {
    return new OptimizerSpec.Sgd(0.1, 0.9, null, null, null, null);
  }
}
