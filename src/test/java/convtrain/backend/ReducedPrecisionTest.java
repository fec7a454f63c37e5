package convtrain.backend;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.backend.OpHarness.Mode;
import convtrain.graph.LayerSpec;
import convtrain.graph.ModelGraph;
import convtrain.graph.ModelSpec;
import convtrain.graph.Node;
import convtrain.graph.ParameterSpec;
import convtrain.graph.Shape;
import convtrain.testing.DeviceFloats;
import convtrain.testing.Golden;
import convtrain.testing.RandomGraphs;
import convtrain.testing.ReferenceDropout;
import convtrain.testing.ReferenceNet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every layer type with 16-bit activations, where a backend has them, against double precision on
 * what 16 bits hold of x, dy and the weights.
 */
class ReducedPrecisionTest extends ReducedContract {
  /** Results and what lies between layers are rounded; up to four of these add up. */
  private static final int ROUNDINGS = 4;

  /**
   * All but those whose results hang on more digits than 16 bits hold: a mean of 100 deviations,
   * and what chooses between rounded values.
   */
  static List<Golden.Case> layers() {
    return Golden.load("layers").cases().stream()
        .filter(golden -> !golden.name().equals("batch_norm2d_large_mean"))
        .filter(golden -> !choosesAfterRounding(golden.spec("model", ModelSpec.class).layers()))
        .toList();
  }

  private static boolean choosesAfterRounding(List<LayerSpec> layers) {
    boolean rounds =
        layers.stream()
            .anyMatch(l -> l instanceof LayerSpec.Conv2d || l instanceof LayerSpec.Linear);
    boolean chooses =
        layers.stream()
            .anyMatch(l -> l instanceof LayerSpec.Relu || l instanceof LayerSpec.MaxPool2d);
    return rounds && chooses;
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("layers")
  void layersAreAsExactAsTheirElements(Golden.Case golden) {
    ModelGraph graph = ModelGraph.of(golden.spec("model", ModelSpec.class));
    Map<String, double[]> parameters = parameters(graph, golden);
    double[] x = DeviceFloats.rounded(precision(), golden.tensor("x").values());
    double[] dy = DeviceFloats.rounded(precision(), golden.tensor("dy").values());
    int samples = golden.tensor("x").dims().get(0);
    try (OpHarness harness = new OpHarness(backend(), graph, samples, Mode.TRAINING_FUSED)) {
      double[] y = harness.load(parameters).forward(x);
      ReferenceNet.Gradients found = harness.backward(dy);

      ReferenceNet net = new ReferenceNet(graph, parameters);
      tolerance().check("y", y, net.forward(x, true));
      ReferenceNet.Gradients expected = net.backward(dy);
      tolerance().check("dx", found.dx(), expected.dx());
      checkRunning(harness, parameters);
      assertThat(found.parameters()).containsOnlyKeys(expected.parameters().keySet());
      expected
          .parameters()
          .forEach((name, value) -> tolerance().check(name, found.parameters().get(name), value));
    }
  }

  /**
   * Channels that fill vectors, or half of one, or neither, and images whose elements do so or do
   * not, in one row of a thousand or several; samples that threads share unevenly.
   */
  @ParameterizedTest
  @CsvSource({
    "0.04, true, 7, 16, 13, 11",
    "0.5, true, 8, 32, 13, 11",
    "0.04, true, 7, 8, 13, 11",
    "0.9, true, 8, 8, 13, 11",
    "0.04, true, 5, 20, 13, 11",
    "0.5, false, 8, 16, 13, 11",
    "0.5, false, 7, 8, 13, 11",
    "0.04, true, 7, 8, 14, 12",
    "0.5, false, 5, 4, 20, 20",
    "0.04, true, 3, 8, 13, 10"
  })
  void dropoutBehindBatchNormFallsAsInTheReference(
      double p, boolean relu, int n, int channels, int h, int w) {
    Shape image = Shape.image(channels, h, w);
    LayerSpec norm = new LayerSpec.BatchNorm2d("bn", null, null, null, null);
    LayerSpec dropout = new LayerSpec.Dropout("drop", null, p);
    ModelGraph graph =
        ModelGraph.of(
            new ModelSpec(
                image,
                relu
                    ? List.of(norm, new LayerSpec.Relu(null, null), dropout)
                    : List.of(norm, dropout)));
    Map<String, double[]> parameters = new LinkedHashMap<>();
    RandomGraphs.parameters(graph, 5)
        .forEach((name, values) -> parameters.put(name, floats(values)));
    int elements = n * image.elements();
    double[] x = DeviceFloats.rounded(precision(), RandomGraphs.normals(elements, new Random(6)));
    double[] dy = DeviceFloats.rounded(precision(), RandomGraphs.normals(elements, new Random(7)));
    try (OpHarness harness = new OpHarness(backend(), graph, n, Mode.TRAINING_FUSED)) {
      harness.load(parameters).setStep(9);
      // Twice: a backend may learn from the first pass what it does in the second.
      harness.forward(x);
      harness.backward(dy);
      double[] y = harness.forward(x);
      ReferenceNet.Gradients found = harness.backward(dy);

      Node last = graph.output();
      ReferenceNet net = new ReferenceNet(graph, parameters);
      net.setDropout(
          last.name(), ReferenceDropout.factors(OpHarness.SEED, 9, last.index(), p, n, image));
      tolerance().check("y", y, net.forward(x, true));
      ReferenceNet.Gradients expected = net.backward(dy);
      tolerance().check("dx", found.dx(), expected.dx());
      expected
          .parameters()
          .forEach((name, values) -> tolerance().check(name, found.parameters().get(name), values));
    }
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("layers")
  void evaluationUsesRunningStatisticsAndDropsNothing(Golden.Case golden) {
    ModelGraph graph = ModelGraph.of(golden.spec("model", ModelSpec.class));
    Map<String, double[]> parameters = parameters(graph, golden);
    golden.group("after").forEach((name, tensor) -> parameters.put(name, floats(tensor.values())));
    double[] x = DeviceFloats.rounded(precision(), golden.tensor("x").values());
    int samples = golden.tensor("x").dims().get(0);
    try (OpHarness harness = new OpHarness(backend(), graph, samples, Mode.EVALUATION)) {
      double[] y = harness.load(parameters).forward(x);
      tolerance().check("y", y, new ReferenceNet(graph, parameters).forward(x, false));
    }
  }

  private static double[] floats(double[] values) {
    return DeviceFloats.doubles(DeviceFloats.floats(values));
  }

  /** The reference updates its own in place. */
  private void checkRunning(OpHarness harness, Map<String, double[]> expected) {
    expected.forEach(
        (name, values) -> {
          if (name.contains(".running_")) {
            tolerance().check(name, harness.parameter(name), values);
          }
        });
  }

  private Tolerance tolerance() {
    return Tolerance.rounded(precision(), ROUNDINGS);
  }

  /** Factors of products are used in 16 bits; what batch norm multiplies by stays fp32. */
  private Map<String, double[]> parameters(ModelGraph graph, Golden.Case golden) {
    Map<String, double[]> parameters = new LinkedHashMap<>();
    for (Node node : graph.nodes()) {
      boolean products = !(node.spec() instanceof LayerSpec.BatchNorm2d);
      for (ParameterSpec spec : node.parameters()) {
        String name = node.tensorName(spec);
        double[] values = golden.group("parameters").get(name).values();
        boolean rounds = products && spec.name().equals("weight");
        parameters.put(name, rounds ? DeviceFloats.rounded(precision(), values) : values.clone());
      }
    }
    return parameters;
  }
}
