package convtrain.backend;

import convtrain.backend.OpHarness.Mode;
import convtrain.graph.LayerSpec;
import convtrain.graph.ModelGraph;
import convtrain.graph.ModelSpec;
import convtrain.graph.Padding;
import convtrain.graph.Pair;
import convtrain.graph.Shape;
import convtrain.testing.DeviceFloats;
import convtrain.testing.RandomGraphs;
import convtrain.testing.ReferenceNet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Convolutions with 16-bit activations where threads share a batch in every way. */
class ReducedThreadsTest extends ReducedContract {
  /** Threads, samples, channels, with a bias: more threads than samples among them. */
  @ParameterizedTest
  @CsvSource({
    "1, 7, 8, 16, true",
    "2, 1, 8, 16, true",
    "3, 7, 8, 16, true",
    "3, 7, 1, 8, false",
    "5, 7, 16, 8, false",
    "5, 3, 32, 32, true",
    "3, 7, 64, 64, true",
    "2, 2, 64, 128, false"
  })
  void gradientsOfAllPartsAreAdded(int threads, int n, int in, int out, boolean bias) {
    Assumptions.assumeTrue(way.provider().name().equals("cpu"), "no threads of ours elsewhere");
    Shape image = Shape.image(in, 9, 8);
    LayerSpec conv =
        new LayerSpec.Conv2d(
            "conv", null, out, Pair.of(3), null, Padding.of(1), null, null, bias, null);
    ModelGraph graph = ModelGraph.of(new ModelSpec(image, List.of(conv)));
    Random random = new Random(threads + n);
    Map<String, double[]> parameters = new LinkedHashMap<>();
    RandomGraphs.parameters(graph, 5)
        .forEach((name, values) -> parameters.put(name, DeviceFloats.rounded(precision(), values)));
    double[] x =
        DeviceFloats.rounded(precision(), RandomGraphs.normals(n * image.elements(), random));
    double[] dy =
        DeviceFloats.rounded(
            precision(), RandomGraphs.normals(n * graph.output().out().elements(), random));
    try (Backend backend = way.open(threads);
        OpHarness harness = new OpHarness(backend, graph, n, Mode.TRAINING)) {
      harness.load(parameters);
      // Twice: what the first pass left must not be added to.
      harness.forward(x);
      harness.backward(dy);
      double[] y = harness.forward(x);
      ReferenceNet.Gradients found = harness.backward(dy);
      ReferenceNet net = new ReferenceNet(graph, parameters);
      Tolerance tolerance = Tolerance.rounded(precision(), 1);
      tolerance.check("y", y, net.forward(x, true));
      ReferenceNet.Gradients expected = net.backward(dy);
      tolerance.check("dx", found.dx(), expected.dx());
      // Of products of exact factors, added in fp32.
      Tolerance sums = Tolerance.of("conv2d");
      expected
          .parameters()
          .forEach((name, values) -> sums.check(name, found.parameters().get(name), values));
    }
  }
}
