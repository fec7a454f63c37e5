package convtrain.backend.cuda.op;

import convtrain.backend.Binding;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.LayerContext;
import convtrain.backend.LayerOp;
import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.graph.LayerSpec;
import convtrain.graph.ModelGraph;
import convtrain.graph.ModelSpec;
import convtrain.graph.Node;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import convtrain.testing.DeviceFloats;
import convtrain.testing.ReferenceNet;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** cuDNN's batch norm against the reference, whether or not the tuner would pick it. */
class CudnnBatchNormTest extends OpTest {
  private static final int N = 4;
  private static final Shape SHAPE = Shape.image(6, 5, 3);
  private static final Precision FP32 = Precision.FP32;

  private final Random random = new Random(2);
  private final double[] x = values(N * SHAPE.elements(), random);
  private final double[] dy = values(N * SHAPE.elements(), random);
  private final Map<String, double[]> parameters = new HashMap<>();
  private final Map<String, DeviceBuffer> onDevice = new HashMap<>();
  private final Map<String, DeviceBuffer> gradients = new HashMap<>();

  private Node node(boolean affine) {
    LayerSpec spec = new LayerSpec.BatchNorm2d("norm", null, 1e-3, 0.3, affine);
    Node node = ModelGraph.of(new ModelSpec(SHAPE, List.of(spec))).nodes().get(0);
    node.parameters()
        .forEach(
            each -> {
              double[] values = values(each.elements(), random);
              for (int i = 0; i < values.length; i++) {
                values[i] = Math.abs(values[i]) + 0.5;
              }
              parameters.put("norm." + each.name(), values);
              onDevice.put(each.name(), floats(values));
              if (each.trainable()) {
                gradients.put(each.name(), spoilt(each.elements() * (long) Float.BYTES));
              }
            });
    return node;
  }

  private LayerOp op(Node node, boolean training, boolean needsInputGradient) {
    LayerContext context =
        new LayerContext(node, List.of(), List.of(needsInputGradient), Map.of(), null);
    LayerSpec.BatchNorm2d spec = (LayerSpec.BatchNorm2d) node.spec();
    return own(new CudnnBatchNorm(cuda(), N, training, FP32, spec, context));
  }

  private Binding binding(LayerOp op, CudaBuffer y, CudaBuffer dx, CudaBuffer dyAt) {
    return new Binding(
        List.of(images(FP32, x, SHAPE)),
        y,
        dx == null ? Collections.singletonList(null) : List.of(dx),
        dyAt,
        onDevice,
        gradients,
        spoilt(op.needs().savedBytes()),
        spoilt(op.needs().scratchBytes()));
  }

  @ParameterizedTest(name = "affine {0}, gradient of the input {1}")
  @CsvSource({"true, true", "true, false", "false, true", "false, false"})
  void trainingMatchesTheReference(boolean affine, boolean needsInputGradient) {
    Node node = node(affine);
    ReferenceNet reference =
        new ReferenceNet(
            ModelGraph.of(new ModelSpec(SHAPE, List.of(node.spec()))), new HashMap<>(parameters));
    double[] expected = reference.forward(x, true);
    ReferenceNet.Gradients expectedGradients = reference.backward(dy);
    LayerOp op = op(node, true, needsInputGradient);
    CudaBuffer y = spoilt((long) x.length * Float.BYTES);
    CudaBuffer dx = needsInputGradient ? spoilt((long) x.length * Float.BYTES) : null;
    op.bind(binding(op, y, dx, images(FP32, dy, SHAPE)));
    op.forward();
    op.backward();
    cuda().synchronize();
    assertClose("y", FP32, fetch(FP32, y, SHAPE), expected);
    if (dx != null) {
      assertClose("dx", FP32, fetch(FP32, dx, SHAPE), expectedGradients.dx());
    }
    List<String> checked = new ArrayList<>(gradients.keySet());
    checked.forEach(
        name ->
            assertClose(
                name,
                FP32,
                DeviceFloats.doubles(DeviceFloats.read(gradients.get(name))),
                expectedGradients.parameters().get("norm." + name)));
    for (String running : List.of("running_mean", "running_var")) {
      double[] found = DeviceFloats.doubles(DeviceFloats.read(onDevice.get(running)));
      assertClose(running, FP32, found, parameters.get("norm." + running));
    }
  }

  @Test
  void evaluationUsesTheRunningStatistics() {
    Node node = node(true);
    ReferenceNet reference =
        new ReferenceNet(ModelGraph.of(new ModelSpec(SHAPE, List.of(node.spec()))), parameters);
    LayerOp op = op(node, false, false);
    CudaBuffer y = spoilt((long) x.length * Float.BYTES);
    op.bind(binding(op, y, null, null));
    op.forward();
    cuda().synchronize();
    assertClose("y", FP32, fetch(FP32, y, SHAPE), reference.forward(x, false));
  }
}
