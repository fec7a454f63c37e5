package convtrain.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.withinPercentage;

import convtrain.graph.ModelGraph;
import convtrain.graph.ModelSpec;
import convtrain.graph.OptimizerSpec;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.GZIPInputStream;
import org.junit.jupiter.api.Test;

/** The whole network on real images: what the reference computes of the golden training run. */
class ReferenceTrajectoryTest {
  private static final int BATCH = 128;
  private static final int IMAGES = 2528;
  private static final int PIXELS = 784;

  @Test
  void lossesBeforeAndAfterTheFirstUpdateMatchPyTorchsDoubles() throws IOException {
    Golden.Case golden = Golden.load("trajectory").named("mnist-19k-smooth");
    byte[] images = unzipped("train-images-idx3-ubyte.gz", 16 + IMAGES * PIXELS);
    byte[] labels = unzipped("train-labels-idx1-ubyte.gz", 8 + IMAGES);
    Map<String, double[]> parameters = new LinkedHashMap<>();
    golden.group("initial").forEach((name, tensor) -> parameters.put(name, tensor.values()));
    ModelGraph graph = ModelGraph.of(golden.spec("model", ModelSpec.class));
    ReferenceNet net = new ReferenceNet(graph, parameters);
    double[] losses = golden.tensor("losses").values();

    net.forward(pixels(images, 0), true);
    assertThat(net.loss(classes(labels, 0))).isCloseTo(losses[0], withinPercentage(1e-9));

    double lr = golden.tensor("learning_rates").values()[0];
    double momentum = golden.tensor("momenta").values()[0];
    OptimizerSpec optimizer = golden.spec("optimizer", OptimizerSpec.class);
    net.backward(classes(labels, 0))
        .parameters()
        .forEach(
            (name, gradient) ->
                new ReferenceOptimizer(optimizer, gradient.length)
                    .step(parameters.get(name), gradient, lr, momentum));
    net.forward(pixels(images, 1), true);
    assertThat(net.loss(classes(labels, 1))).isCloseTo(losses[1], withinPercentage(1e-9));
  }

  private static double[] pixels(byte[] images, int batch) {
    double[] x = new double[BATCH * PIXELS];
    for (int i = 0; i < x.length; i++) {
      x[i] = ((images[16 + batch * x.length + i] & 0xFF) / 255.0 - 0.1307) / 0.3081;
    }
    return x;
  }

  private static int[] classes(byte[] labels, int batch) {
    int[] classes = new int[BATCH];
    Arrays.setAll(classes, i -> labels[8 + batch * BATCH + i]);
    return classes;
  }

  private static byte[] unzipped(String file, int expectedBytes) throws IOException {
    try (GZIPInputStream in = new GZIPInputStream(new ByteArrayInputStream(Golden.bytes(file)))) {
      byte[] bytes = in.readAllBytes();
      assertThat(bytes).hasSize(expectedBytes);
      return bytes;
    }
  }
}
