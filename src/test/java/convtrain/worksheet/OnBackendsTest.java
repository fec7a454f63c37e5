package convtrain.worksheet;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import convtrain.backend.Backend;
import convtrain.graph.LossSpec;
import convtrain.graph.OptimizerSpec;
import convtrain.graph.UpdateSpec;
import convtrain.plan.Plan;
import convtrain.testing.PlanRun;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The course sheet trained by the engine itself, in fp32, with the loss mse.
 *
 * <p>Bytes 1 and 2 become the inputs 0.05 and 0.10. The targets 0.5 and 0.5 are the mean of the two
 * classes' one-hot targets: a batch of the same input once per class has the gradient of E, and its
 * mse is E + 1/4, since ((y - 1)^2 + y^2) / 2 = (y - 1/2)^2 + 1/4.
 */
class OnBackendsTest {
  private static final int STEPS = 100;
  private static final double LR = 0.5;
  private static final double TOLERANCE = 1e-6;

  static List<Named<Backend.Provider>> providers() {
    return ServiceLoader.load(Backend.Provider.class).stream()
        .map(ServiceLoader.Provider::get)
        .map(each -> Named.of(each.name(), each))
        .toList();
  }

  @ParameterizedTest
  @MethodSource("providers")
  void everyIterationOfTheEngineIsTheSheets(Backend.Provider provider) {
    try (Backend backend = open(provider)) {
      Worksheet sheet = Sheets.course(LR, STEPS);
      try (PlanRun run = run(backend, sheet)) {
        Plan plan = run.plan(2, true);
        run.startPass(2, STEPS);
        Iterator<Worksheet.Iteration> iterations = sheet.iterations().iterator();
        for (int n = 0; n < STEPS; n++) {
          Worksheet.Iteration at = iterations.next();
          assertThat(weights(run)).containsExactly(at.parameters().values(), within(TOLERANCE));
          run.nextStep(plan);
          assertThat(run.takeMetrics().loss() - 0.25)
              .isCloseTo(at.forward().error(), within(TOLERANCE));
          assertThat(gradients(run)).containsExactly(at.backward().gradients(), within(TOLERANCE));
        }
        assertThat(weights(run))
            .containsExactly(iterations.next().parameters().values(), within(TOLERANCE));
      }
    }
  }

  private static Backend open(Backend.Provider provider) {
    try {
      return provider.open(Backend.Options.withThreads(2));
    } catch (RuntimeException | LinkageError e) {
      return Assumptions.abort("backend " + provider.name() + " cannot start here: " + e);
    }
  }

  private static PlanRun run(Backend backend, Worksheet sheet) {
    PlanRun run =
        new PlanRun(
            backend,
            Sheets.graph(sheet.sizes()),
            new LossSpec.Mse(),
            UpdateSpec.of(new OptimizerSpec.Sgd(LR, null, null, null, null, null)),
            2,
            0,
            (float) (1 / (255 * 0.05)),
            PlanRun.constant(STEPS, LR, 0),
            1);
    run.images().put(new byte[] {1, 2, 1, 2});
    run.labels().putInt(0).putInt(1);
    run.load(Sheets.tensors(sheet.sizes(), sheet.first().parameters().values()));
    return run;
  }

  private static double[] weights(PlanRun run) {
    return values(run.tensors());
  }

  private static double[] gradients(PlanRun run) {
    Map<String, float[]> gradients = new LinkedHashMap<>();
    run.state()
        .tensors()
        .keySet()
        .forEach(name -> gradients.put(name, run.state().fetchGradient(name)));
    return values(gradients);
  }

  private static double[] values(Map<String, float[]> tensors) {
    Map<String, double[]> wide = new LinkedHashMap<>();
    tensors.forEach(
        (name, values) ->
            wide.put(
                name, IntStream.range(0, values.length).mapToDouble(i -> values[i]).toArray()));
    return Sheets.values(wide);
  }
}
