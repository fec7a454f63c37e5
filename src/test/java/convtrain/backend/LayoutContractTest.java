package convtrain.backend;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.graph.LayerSpec;
import convtrain.graph.ModelGraph;
import convtrain.graph.ModelSpec;
import convtrain.graph.Node;
import convtrain.graph.OptimizerSpec;
import convtrain.graph.Padding;
import convtrain.graph.Pair;
import convtrain.graph.ParameterSpec;
import convtrain.graph.Shape;
import convtrain.testing.DeviceFloats;
import convtrain.testing.RandomGraphs;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Storage of parameters: there and back, and what pads it. */
class LayoutContractTest extends BackendContract {
  private static ModelGraph convolution(int in, int out, int kernel, int groups) {
    return ModelGraph.of(
        new ModelSpec(
            Shape.image(in, 6, 6),
            List.of(
                new LayerSpec.Conv2d(
                    null,
                    null,
                    out,
                    Pair.of(kernel),
                    null,
                    Padding.SAME,
                    null,
                    groups,
                    true,
                    null))));
  }

  private static ModelGraph linear(int in, int out) {
    return ModelGraph.of(
        new ModelSpec(
            Shape.vector(in), List.of(new LayerSpec.Linear(null, null, out, null, null))));
  }

  @ParameterizedTest(name = "{0} to {1} channels, kernel {2}, groups {3}")
  @CsvSource({
    "1, 8, 3, 1",
    "1, 1, 5, 1",
    "3, 17, 3, 1",
    "17, 3, 1, 1",
    "17, 33, 3, 1",
    "7, 7, 3, 7",
    "10, 14, 3, 2",
    "9, 5, 0, 1",
    "129, 10, 0, 1",
    "17, 1, 0, 1"
  })
  void tensorsComeBackAndPaddingStaysZero(int in, int out, int kernel, int groups) {
    ModelGraph graph = kernel == 0 ? linear(in, out) : convolution(in, out, kernel, groups);
    for (int n : new int[] {1, 32}) {
      try (OpHarness harness = new OpHarness(backend(), graph, n, OpHarness.Mode.TRAINING)) {
        var parameters = RandomGraphs.parameters(graph, 8);
        harness.load(parameters);
        parameters.forEach(
            (name, values) ->
                assertThat(DeviceFloats.floats(harness.parameter(name)))
                    .as(name)
                    .isEqualTo(DeviceFloats.floats(values)));
        Random random = new Random(n);
        for (int step = 0; step < 3; step++) {
          harness.forward(RandomGraphs.normals(n * graph.input().elements(), random));
          harness.backward(RandomGraphs.normals(n * graph.output().out().elements(), random));
          harness.update(new OptimizerSpec.Adam(0.01, null, null, 0.1, null), step);
        }
        Node node = graph.nodes().get(0);
        for (ParameterSpec spec : node.parameters()) {
          harness.assertPaddingIsZero(node.tensorName(spec));
        }
      }
    }
  }
}
