package convtrain.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import convtrain.graph.OptimizerSpec;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The optimizers' formulas against 50 steps of PyTorch's, which computed them in fp32. */
class ReferenceOptimizerTest {
  private static final double TOLERANCE = 3e-6;

  static List<Golden.Case> optimizers() {
    return Golden.load("optimizers").cases();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("optimizers")
  void parametersFollowPyTorchForFiftySteps(Golden.Case golden) {
    double[] w = golden.tensor("w0").values().clone();
    double[] gradients = golden.tensor("gradients").values();
    double[] schedule = golden.tensor("schedule").values();
    ReferenceOptimizer optimizer =
        new ReferenceOptimizer(golden.spec("optimizer", OptimizerSpec.class), w.length);
    int compared = 0;
    for (int step = 0; step < schedule.length / 2; step++) {
      double[] g = Arrays.copyOfRange(gradients, step * w.length, (step + 1) * w.length);
      optimizer.step(w, g, schedule[2 * step], schedule[2 * step + 1]);
      String kept = "w" + (step + 1);
      if (golden.has(kept)) {
        double[] expected = golden.tensor(kept).values();
        for (int i = 0; i < w.length; i++) {
          double allowed = TOLERANCE * Math.max(1, Math.abs(expected[i]));
          assertThat(w[i]).as("%s[%d]", kept, i).isCloseTo(expected[i], within(allowed));
        }
        compared++;
      }
    }
    assertThat(compared).isEqualTo(4);
  }
}
