package convtrain.backend.cuda.op;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.backend.Binding;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.LayerContext;
import convtrain.backend.LayerOp;
import convtrain.backend.OpFactory;
import convtrain.backend.ParameterLayout;
import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.graph.LayerSpec;
import convtrain.graph.ModelGraph;
import convtrain.graph.ModelSpec;
import convtrain.graph.Node;
import convtrain.graph.Padding;
import convtrain.graph.Pair;
import convtrain.graph.ParameterSpec;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import convtrain.testing.DeviceFloats;
import convtrain.testing.ReferenceNet;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Layers with weights or windows in every precision: 16-bit activations against fp32 parameters,
 * gradients of parameters in fp32.
 */
class LayerPrecisionTest extends OpTest {
  private static final int N = 3;

  private record Layer(Shape in, LayerSpec spec) {}

  private static final Map<String, Layer> LAYERS =
      Map.ofEntries(
          layer("conv2d", Shape.image(8, 5, 6), conv(16, 3, Padding.of(1))),
          layer("conv2d, uneven padding", Shape.image(6, 5, 7), conv(5, 4, Padding.SAME)),
          layer("linear", Shape.vector(24), new LayerSpec.Linear("l", null, 16, true, null)),
          layer("linear, odd", Shape.vector(7), new LayerSpec.Linear("l", null, 5, true, null)),
          layer("max_pool2d", Shape.image(8, 7, 6), max(3, 2, 1)),
          layer("max_pool2d of 289 taps", Shape.image(2, 18, 19), max(17, 1, 8)),
          layer("avg_pool2d", Shape.image(8, 7, 6), average(3, 2, 1)),
          layer("avg_pool2d, odd", Shape.image(3, 5, 6), average(2, 2, 0)),
          layer("global_avg_pool", Shape.image(16, 7, 7), new LayerSpec.GlobalAvgPool("l", null)),
          layer("softmax", Shape.vector(10), new LayerSpec.Softmax("l", null)),
          layer("log_softmax", Shape.image(5, 2, 3), new LayerSpec.LogSoftmax("l", null)));

  private static Map.Entry<String, Layer> layer(String name, Shape in, LayerSpec spec) {
    return Map.entry(name, new Layer(in, spec));
  }

  private static LayerSpec conv(int out, int kernel, Padding padding) {
    return new LayerSpec.Conv2d(
        "l", null, out, Pair.of(kernel), null, padding, null, null, true, null);
  }

  private static LayerSpec max(int kernel, int stride, int padding) {
    return new LayerSpec.MaxPool2d(
        "l", null, Pair.of(kernel), Pair.of(stride), Padding.of(padding), true);
  }

  private static LayerSpec average(int kernel, int stride, int padding) {
    return new LayerSpec.AvgPool2d(
        "l", null, Pair.of(kernel), Pair.of(stride), Padding.of(padding), true, true);
  }

  static List<Arguments> layersAndPrecisions() {
    List<Arguments> all = new ArrayList<>();
    for (String name : LAYERS.keySet().stream().sorted().toList()) {
      for (Precision precision : Precision.values()) {
        all.add(Arguments.of(name, precision));
      }
    }
    return all;
  }

  @ParameterizedTest(name = "{0}, {1}")
  @MethodSource("layersAndPrecisions")
  void layersMatchTheReference(String name, Precision precision) {
    Layer layer = LAYERS.get(name);
    ModelGraph graph = ModelGraph.of(new ModelSpec(layer.in, List.of(layer.spec)));
    Node node = graph.nodes().get(0);
    Random random = new Random(3);
    Map<String, double[]> parameters = new HashMap<>();
    Map<String, ParameterLayout> layouts = new HashMap<>();
    Map<String, DeviceBuffer> onDevice = new HashMap<>();
    Map<String, DeviceBuffer> gradients = new HashMap<>();
    for (ParameterSpec spec : node.parameters()) {
      double[] values = values(spec.elements(), random);
      parameters.put(node.tensorName(spec), values);
      ParameterLayout layout = CudaLayouts.of(node, spec);
      layouts.put(spec.name(), layout);
      onDevice.put(spec.name(), own(cuda().allocate(layout.bytes())));
      layout.write(DeviceFloats.floats(values), onDevice.get(spec.name()));
      gradients.put(spec.name(), spoilt(layout.bytes()));
    }
    double[] x = values(N * layer.in.elements(), random);
    double[] dy = values(N * node.out().elements(), random);
    CudaBuffer y = spoilt((long) dy.length * precision.elementBytes());
    CudaBuffer dx = spoilt((long) x.length * precision.elementBytes());
    OpFactory factory = new CudaOps(cuda(), N, true, precision);
    LayerOp op =
        own(
            layer.spec.accept(
                factory, new LayerContext(node, List.of(), List.of(true), layouts, null)));
    op.bind(
        new Binding(
            List.of(images(precision, x, layer.in)),
            y,
            List.of(dx),
            images(precision, dy, node.out()),
            onDevice,
            gradients,
            spoilt(op.needs().savedBytes()),
            spoilt(op.needs().scratchBytes())));
    op.forward();
    op.backward();
    cuda().synchronize();

    ReferenceNet reference = new ReferenceNet(graph, parameters);
    double[] expected = reference.forward(x, true);
    ReferenceNet.Gradients expectedGradients = reference.backward(dy);
    assertClose("y", precision, fetch(precision, y, node.out()), expected);
    // A softmax's gradient is told from its rounded output: exp(y) of a y of up to 8.
    int amplification = layer.spec instanceof LayerSpec.AnySoftmax ? 8 : 1;
    assertClose(
        "dx", precision, amplification, fetch(precision, dx, layer.in), expectedGradients.dx());
    for (ParameterSpec spec : node.parameters()) {
      float[] found = new float[spec.elements()];
      layouts.get(spec.name()).read(gradients.get(spec.name()), found);
      assertClose(
          spec.name(),
          precision,
          DeviceFloats.doubles(found),
          expectedGradients.parameters().get(node.tensorName(spec)));
    }
    assertThat(op.implementation()).isNotEmpty();
  }
}
