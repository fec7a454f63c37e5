package convtrain.backend;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.backend.OpHarness.Mode;
import convtrain.graph.LayerSpec;
import convtrain.graph.ModelGraph;
import convtrain.graph.ModelSpec;
import convtrain.testing.Golden;
import convtrain.testing.ReferenceNet;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Every layer type against PyTorch: outputs, all gradients, running statistics, evaluation. */
class LayerContractTest extends BackendContract {
  static List<Golden.Case> layers() {
    return Golden.load("layers").cases();
  }

  @Test
  void everyLayerTypeHasAGoldenCase() {
    Set<Class<?>> covered = new HashSet<>();
    layers()
        .forEach(
            golden ->
                golden
                    .spec("model", ModelSpec.class)
                    .layers()
                    .forEach(layer -> covered.add(layer.getClass())));
    assertThat(covered).containsAll(leaves(LayerSpec.class));
  }

  private static Set<Class<?>> leaves(Class<?> sealed) {
    Set<Class<?>> leaves = new HashSet<>();
    for (Class<?> permitted : sealed.getPermittedSubclasses()) {
      leaves.addAll(permitted.isSealed() ? leaves(permitted) : Set.of(permitted));
    }
    return leaves;
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("layers")
  void layersMatchPyTorchForwardAndBackward(Golden.Case golden) {
    train(golden, Mode.TRAINING);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("layers")
  void layersMatchPyTorchWhereTheBackendFusesThem(Golden.Case golden) {
    train(golden, Mode.TRAINING_FUSED);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("layers")
  void evaluationUsesRunningStatisticsAndDropsNothing(Golden.Case golden) {
    ModelSpec model = golden.spec("model", ModelSpec.class);
    Map<String, double[]> parameters = values(golden.group("parameters"));
    parameters.putAll(values(golden.group("after")));
    try (OpHarness harness =
        new OpHarness(backend(), ModelGraph.of(model), samples(golden), Mode.EVALUATION)) {
      double[] y = harness.load(parameters).forward(golden.tensor("x").values());
      // Without batch norm and dropout, training and evaluation are the same function.
      String expected = golden.has("y_eval") ? "y_eval" : "y";
      Tolerance.of(golden).check("y", y, golden.tensor(expected).values());
      parameters.forEach(
          (name, before) -> assertThat(harness.parameter(name)).as(name).isEqualTo(before));
    }
  }

  private static void train(Golden.Case golden, Mode mode) {
    ModelSpec model = golden.spec("model", ModelSpec.class);
    Tolerance tolerance = Tolerance.of(golden);
    try (OpHarness harness =
        new OpHarness(backend(), ModelGraph.of(model), samples(golden), mode)) {
      harness.load(values(golden.group("parameters")));
      double[] y = harness.forward(golden.tensor("x").values());
      ReferenceNet.Gradients gradients = harness.backward(golden.tensor("dy").values());
      tolerance.check("y", y, golden.tensor("y").values());
      tolerance.check("dx", gradients.dx(), golden.tensor("dx").values());
      Map<String, double[]> expected = values(golden.group("gradients"));
      assertThat(gradients.parameters()).containsOnlyKeys(expected.keySet());
      expected.forEach(
          (name, values) -> tolerance.check(name, gradients.parameters().get(name), values));
      values(golden.group("after"))
          .forEach((name, after) -> tolerance.check(name, harness.parameter(name), after));
    }
  }

  private static int samples(Golden.Case golden) {
    return golden.tensor("x").dims().get(0);
  }

  private static Map<String, double[]> values(Map<String, Golden.Tensor> tensors) {
    Map<String, double[]> values = new LinkedHashMap<>();
    tensors.forEach((name, tensor) -> values.put(name, tensor.values()));
    return values;
  }
}
