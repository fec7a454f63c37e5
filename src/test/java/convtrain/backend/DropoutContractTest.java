package convtrain.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import convtrain.backend.OpHarness.Mode;
import convtrain.graph.LayerSpec;
import convtrain.graph.ModelGraph;
import convtrain.graph.ModelSpec;
import convtrain.graph.Node;
import convtrain.graph.Shape;
import convtrain.testing.DeviceFloats;
import convtrain.testing.RandomGraphs;
import convtrain.testing.ReferenceDropout;
import convtrain.testing.ReferenceNet;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Which elements fall, alone and fused behind a batch norm. */
class DropoutContractTest extends BackendContract {
  private static final Shape IMAGE = Shape.image(17, 13, 11);

  private static LayerSpec dropout(double p) {
    return new LayerSpec.Dropout(null, null, p);
  }

  private static ModelGraph graph(LayerSpec... layers) {
    return ModelGraph.of(new ModelSpec(IMAGE, List.of(layers)));
  }

  @ParameterizedTest
  @ValueSource(doubles = {0, 0.04, 0.2, 0.35, 0.5, 0.7, 0.999})
  void elementsFallAsTheSeedAndStepSay(double p) {
    int n = 7;
    ModelGraph graph = graph(dropout(p));
    double[] x = rounded(RandomGraphs.normals(n * IMAGE.elements(), new Random(1)));
    double[] dy = rounded(RandomGraphs.normals(x.length, new Random(2)));
    try (OpHarness harness = new OpHarness(backend(), graph, n, Mode.TRAINING)) {
      for (long step : new long[] {0, 1, 70_000}) {
        harness.setStep(step);
        double[] factors = ReferenceDropout.factors(OpHarness.SEED, step, 0, p, n, IMAGE);
        Tolerance tolerance = Tolerance.of("dropout");
        tolerance.check("y", harness.forward(x), times(factors, x));
        tolerance.check("dx", harness.backward(dy).dx(), times(factors, dy));
      }
    }
  }

  @Test
  void stepsAndLayersHaveMasksOfTheirOwn() {
    ModelGraph graph = graph(dropout(0.5), dropout(0.5));
    double[] ones = new double[IMAGE.elements()];
    Arrays.fill(ones, 1);
    try (OpHarness harness = new OpHarness(backend(), graph, 1, Mode.TRAINING)) {
      double[] first = harness.forward(ones);
      assertThat(harness.forward(ones)).isEqualTo(first);
      harness.setStep(1);
      assertThat(harness.forward(ones)).isNotEqualTo(first);
      // Two equal masks would leave half of the elements, two of their own a quarter.
      double kept = Arrays.stream(first).filter(v -> v != 0).count() / (double) ones.length;
      assertThat(kept).isCloseTo(0.25, within(5 * Math.sqrt(0.25 * 0.75 / ones.length)));
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {0.04, 0.3, 0.5, 0.999})
  void shareThatFallsIsP(double p) {
    int n = 100;
    double[] ones = new double[n * IMAGE.elements()];
    Arrays.fill(ones, 1);
    try (OpHarness harness = new OpHarness(backend(), graph(dropout(p)), n, Mode.TRAINING)) {
      double[] y = harness.forward(ones);
      double fallen = Arrays.stream(y).filter(v -> v == 0).count() / (double) y.length;
      assertThat(fallen).isCloseTo(p, within(5 * Math.sqrt(p * (1 - p) / y.length)));
      double scale = 1 / (1 - p);
      assertThat(Arrays.stream(y).filter(v -> v != 0))
          .allMatch(v -> Math.abs(v - scale) <= 1e-6 * scale);
    }
  }

  /** A pixel of 32 channels is one group: elements that are decided together. */
  @ParameterizedTest
  @ValueSource(doubles = {0.04, 0.35, 0.5, 0.8})
  void elementsDecidedTogetherFallIndependently(double p) {
    Shape image = Shape.image(32, 10, 10);
    int n = 200;
    double[] ones = new double[n * image.elements()];
    Arrays.fill(ones, 1);
    ModelGraph graph = ModelGraph.of(new ModelSpec(image, List.of(dropout(p))));
    int[][] both = new int[32][32];
    try (OpHarness harness = new OpHarness(backend(), graph, n, Mode.TRAINING)) {
      double[] y = harness.forward(ones);
      for (int i = 0; i < y.length; i++) {
        for (int other = 0; other < 32 && y[i] == 0; other++) {
          int c = i / 100 % 32;
          both[c][other] += y[i + 100 * (other - c)] == 0 ? 1 : 0;
        }
      }
    }
    double groups = n * 100;
    for (int i = 0; i < 32; i++) {
      for (int j = 0; j < 32; j++) {
        double expected = i == j ? p : p * p;
        double deviation = Math.sqrt(expected * (1 - expected) / groups);
        assertThat(both[i][j] / groups)
            .as("elements %d and %d", i, j)
            .isCloseTo(expected, within(6 * deviation));
      }
    }
  }

  @Test
  void evaluationDropsNothing() {
    double[] x = rounded(RandomGraphs.normals(2 * IMAGE.elements(), new Random(4)));
    try (OpHarness harness = new OpHarness(backend(), graph(dropout(0.9)), 2, Mode.EVALUATION)) {
      assertThat(harness.forward(x)).isEqualTo(x);
    }
  }

  /** Samples and channels that fill a backend's blocks and vectors, and some that do not. */
  @ParameterizedTest(name = "p {0}, ReLU between: {1}, as the backend fuses: {2}, [{3}, {4}]")
  @CsvSource({
    "0.04, true, true, 7, 17",
    "0.04, true, true, 8, 16",
    "0.5, true, true, 7, 17",
    "0.5, true, true, 8, 24",
    "0.999, true, true, 7, 17",
    "0.999, true, true, 8, 16",
    "0.04, false, true, 7, 17",
    "0.5, false, true, 8, 16",
    "0.5, true, false, 7, 17",
    "0.5, false, false, 8, 16"
  })
  void dropoutBehindBatchNormMatchesTheReference(
      double p, boolean relu, boolean fused, int n, int channels) {
    Shape image = Shape.image(channels, 13, 11);
    LayerSpec norm = new LayerSpec.BatchNorm2d("bn", null, null, null, null);
    List<LayerSpec> layers =
        relu
            ? List.of(norm, new LayerSpec.Relu(null, null), dropout(p))
            : List.of(norm, dropout(p));
    ModelGraph graph = ModelGraph.of(new ModelSpec(image, layers));
    Map<String, double[]> parameters = new LinkedHashMap<>();
    RandomGraphs.parameters(graph, 5).forEach((name, v) -> parameters.put(name, rounded(v)));
    double[] x = rounded(RandomGraphs.normals(n * image.elements(), new Random(6)));
    double[] dy = rounded(RandomGraphs.normals(x.length, new Random(7)));
    Mode mode = fused ? Mode.TRAINING_FUSED : Mode.TRAINING;
    try (OpHarness harness = new OpHarness(backend(), graph, n, mode)) {
      harness.load(parameters).setStep(9);
      double[] y = harness.forward(x);
      ReferenceNet.Gradients gradients = harness.backward(dy);

      Node last = graph.output();
      ReferenceNet net = new ReferenceNet(graph, parameters);
      net.setDropout(
          last.name(), ReferenceDropout.factors(OpHarness.SEED, 9, last.index(), p, n, image));
      Tolerance tolerance = Tolerance.of("batch_norm2d");
      tolerance.check("y", y, net.forward(x, true));
      ReferenceNet.Gradients expected = net.backward(dy);
      tolerance.check("dx", gradients.dx(), expected.dx());
      expected
          .parameters()
          .forEach((name, v) -> tolerance.check(name, gradients.parameters().get(name), v));
      for (String name : List.of("bn.running_mean", "bn.running_var")) {
        tolerance.check(name, harness.parameter(name), parameters.get(name));
      }
    }
  }

  private static double[] rounded(double[] values) {
    return DeviceFloats.doubles(DeviceFloats.floats(values));
  }

  private static double[] times(double[] a, double[] b) {
    double[] product = new double[a.length];
    Arrays.setAll(product, i -> a[i] * b[i]);
    return product;
  }
}
