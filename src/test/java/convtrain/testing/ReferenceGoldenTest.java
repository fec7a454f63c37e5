package convtrain.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import convtrain.graph.LossSpec;
import convtrain.graph.ModelGraph;
import convtrain.graph.ModelSpec;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The reference against PyTorch: every layer case, forward and all gradients, and the loss. */
class ReferenceGoldenTest {
  /** Golden values are fp64 results rounded to fp32 once: 6e-8 of a value, room for its sum. */
  private static final double TOLERANCE = 2e-7;

  static List<Golden.Case> layers() {
    return Golden.load("layers").cases();
  }

  static List<Golden.Case> losses() {
    return Golden.load("cross_entropy").cases();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("layers")
  void layersMatchPyTorchForwardAndBackward(Golden.Case golden) {
    Map<String, double[]> parameters = new LinkedHashMap<>();
    golden.group("parameters").forEach((name, tensor) -> parameters.put(name, tensor.values()));
    parameters.replaceAll((name, values) -> values.clone());
    ModelGraph graph = ModelGraph.of(golden.spec("model", ModelSpec.class));
    ReferenceNet net = new ReferenceNet(graph, parameters);

    double[] y = net.forward(golden.tensor("x").values(), true);
    ReferenceNet.Gradients gradients = net.backward(golden.tensor("dy").values());

    assertClose("y", y, golden.tensor("y"));
    assertClose("dx", gradients.dx(), golden.tensor("dx"));
    Map<String, Golden.Tensor> expected = golden.group("gradients");
    assertThat(gradients.parameters()).containsOnlyKeys(expected.keySet());
    expected.forEach((name, tensor) -> assertClose(name, gradients.parameters().get(name), tensor));
    golden.group("after").forEach((name, after) -> assertClose(name, parameters.get(name), after));
    if (golden.has("y_eval")) {
      double[] evaluated = net.forward(golden.tensor("x").values(), false);
      assertClose("y_eval", evaluated, golden.tensor("y_eval"));
    }
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("losses")
  void crossEntropyMatchesPyTorch(Golden.Case golden) {
    double[] logits = golden.tensor("logits").values();
    int[] labels = golden.tensor("labels").ints();
    double loss = ReferenceLoss.value(logits, labels);
    assertClose("loss", new double[] {loss}, golden.tensor("loss"));
    assertClose("dlogits", ReferenceLoss.gradient(logits, labels), golden.tensor("dlogits"));
    assertThat(ReferenceLoss.correct(logits, labels)).isEqualTo(golden.tensor("correct").ints()[0]);
  }

  static List<Golden.Case> furtherLosses() {
    return Golden.load("losses").cases();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("furtherLosses")
  void lossMatchesPyTorch(Golden.Case golden) {
    LossSpec spec = golden.spec("loss", LossSpec.class);
    double[] z = golden.tensor("z").values();
    int[] labels = golden.tensor("labels").ints();
    int classes = z.length / labels.length;
    double[] targets =
        golden.has("targets")
            ? golden.tensor("targets").values()
            : ReferenceLoss.oneHot(labels, classes);
    double loss = ReferenceLoss.value(spec, z, targets, classes);
    assertClose("loss", new double[] {loss}, golden.tensor("loss"));
    double[] dz = ReferenceLoss.gradient(spec, z, targets, classes);
    assertClose("dz", dz, golden.tensor("dz"));
  }

  /** Within the tolerance of the larger of the value itself and a thousandth of the largest. */
  private static void assertClose(String what, double[] found, Golden.Tensor expected) {
    assertThat(found).as(what).hasSameSizeAs(expected.values());
    double largest = 0;
    for (double value : expected.values()) {
      largest = Math.max(largest, Math.abs(value));
    }
    for (int i = 0; i < found.length; i++) {
      double value = expected.values()[i];
      double allowed = TOLERANCE * Math.max(Math.abs(value), 1e-3 * largest) + 1e-12;
      if (!(Math.abs(found[i] - value) <= allowed)) {
        assertThat(found[i]).as("%s[%d]", what, i).isCloseTo(value, within(allowed));
      }
    }
  }
}
