package convtrain.backend;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.backend.OpHarness.Mode;
import convtrain.graph.LayerSpec;
import convtrain.graph.ModelGraph;
import convtrain.graph.ModelSpec;
import convtrain.graph.Node;
import convtrain.graph.ParameterSpec;
import convtrain.graph.Precision;
import convtrain.testing.DeviceFloats;
import convtrain.testing.Golden;
import convtrain.testing.ReferenceNet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.params.AfterParameterizedClassInvocation;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Every layer type with 16-bit activations, where a backend has them, against double precision on
 * what 16 bits hold of x, dy and the weights.
 */
@ParameterizedClass
@EnumSource(names = {"FP16", "BF16"})
class ReducedPrecisionTest {
  /** Results and what lies between layers are rounded; up to four of these add up. */
  private static final double ROUNDINGS = 4;

  private static Backend backend;

  @Parameter Precision precision;

  @BeforeParameterizedClassInvocation
  static void open(Precision precision) {
    StringBuilder why = new StringBuilder("no backend computes in " + precision.word() + " here");
    for (Backend.Provider provider : ServiceLoader.load(Backend.Provider.class)) {
      try {
        backend = provider.open(new Backend.Options(0, precision, true, true, false));
        return;
      } catch (RuntimeException | LinkageError e) {
        why.append("; ").append(provider.name()).append(": ").append(e.getMessage());
      }
    }
    Assumptions.abort(why.toString());
  }

  @AfterParameterizedClassInvocation
  static void close() {
    if (backend != null) {
      backend.close();
      backend = null;
    }
  }

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
    double[] x = DeviceFloats.rounded(precision, golden.tensor("x").values());
    double[] dy = DeviceFloats.rounded(precision, golden.tensor("dy").values());
    int samples = golden.tensor("x").dims().get(0);
    try (OpHarness harness = new OpHarness(backend, graph, samples, Mode.TRAINING_FUSED)) {
      double[] y = harness.load(parameters).forward(x);
      ReferenceNet.Gradients found = harness.backward(dy);

      ReferenceNet net = new ReferenceNet(graph, parameters);
      tolerance().check("y", y, net.forward(x, true));
      ReferenceNet.Gradients expected = net.backward(dy);
      tolerance().check("dx", found.dx(), expected.dx());
      assertThat(found.parameters()).containsOnlyKeys(expected.parameters().keySet());
      expected
          .parameters()
          .forEach((name, value) -> tolerance().check(name, found.parameters().get(name), value));
    }
  }

  private Tolerance tolerance() {
    double half = precision == Precision.FP16 ? 0x1p-11 : 0x1p-8;
    return new Tolerance(ROUNDINGS * half, 0.5, "each rounded to 16 bits");
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
        parameters.put(name, rounds ? DeviceFloats.rounded(precision, values) : values.clone());
      }
    }
    return parameters;
  }
}
