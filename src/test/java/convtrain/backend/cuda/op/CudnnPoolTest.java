package convtrain.backend.cuda.op;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.backend.Binding;
import convtrain.backend.LayerContext;
import convtrain.backend.LayerOp;
import convtrain.backend.OpFactory;
import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.graph.LayerSpec;
import convtrain.graph.ModelGraph;
import convtrain.graph.ModelSpec;
import convtrain.graph.Node;
import convtrain.graph.Padding;
import convtrain.graph.Pair;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import convtrain.graph.Window2d;
import convtrain.testing.DeviceFloats;
import convtrain.testing.Golden;
import convtrain.testing.ReferenceNet;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** cuDNN's poolings, whether or not the tuner would pick them, and where they are offered to it. */
class CudnnPoolTest extends OpTest {
  private static final Shape SHAPE = Shape.image(3, 7, 6);

  static Window2d window(Node node) {
    Shape in = node.in().get(0);
    if (node.spec() instanceof LayerSpec.GlobalAvgPool) {
      Pair whole = new Pair(in.height(), in.width());
      return Window2d.over(in, whole, whole, Pair.of(1), Padding.NONE, false);
    }
    return node.spec().window(in);
  }

  static PoolOp.Kind kind(Node node) {
    if (node.spec() instanceof LayerSpec.MaxPool2d) {
      return PoolOp.Kind.MAX;
    }
    return node.spec() instanceof LayerSpec.AvgPool2d spec && spec.countIncludePad()
        ? PoolOp.Kind.MEAN_WITH_PADDING
        : PoolOp.Kind.MEAN_OF_PIXELS;
  }

  private static Node node(Shape in, LayerSpec spec) {
    return ModelGraph.of(new ModelSpec(in, List.of(spec))).nodes().get(0);
  }

  private static LayerSpec max(boolean ceilMode) {
    return new LayerSpec.MaxPool2d(
        "l", null, Pair.of(3), Pair.of(2), new Padding(false, Pair.of(1)), ceilMode);
  }

  private static LayerSpec average(boolean ceilMode) {
    return new LayerSpec.AvgPool2d(
        "l", null, Pair.of(3), Pair.of(2), new Padding(false, Pair.of(0)), ceilMode, true);
  }

  private static LayerContext context(Node node) {
    return new LayerContext(node, List.of(), List.of(true), Map.of(), null);
  }

  /** cuDNN's way of one layer between tensors on the device. */
  private final class Bench {
    final Precision precision;
    final Shape in;
    final Shape out;
    final LayerOp op;
    final CudaBuffer y;
    final CudaBuffer dx;

    Bench(Node node, Precision precision, boolean training, double[] x, double[] dy) {
      this.precision = precision;
      in = node.in().get(0);
      out = node.out();
      int n = x.length / in.elements();
      op =
          own(
              new CudnnPool(
                  cuda(), n, training, precision, kind(node), window(node), context(node)));
      y = spoilt((long) n * out.elements() * precision.elementBytes());
      dx = spoilt((long) x.length * precision.elementBytes());
      op.bind(
          new Binding(
              List.of(images(precision, x, in)),
              y,
              List.of(dx),
              training ? images(precision, dy, out) : null,
              Map.of(),
              Map.of(),
              spoilt(op.needs().savedBytes()),
              spoilt(op.needs().scratchBytes())));
    }

    double[] forward() {
      op.forward();
      cuda().synchronize();
      return fetch(precision, y, out);
    }

    double[] backward() {
      op.backward();
      cuda().synchronize();
      return fetch(precision, dx, in);
    }
  }

  /** A golden case of one pooling. */
  private record Example(Golden.Case golden, Node node) {
    @Override
    public String toString() {
      return golden.name();
    }
  }

  private static Stream<Example> examples() {
    return Golden.load("layers").cases().stream()
        .map(golden -> new Example(golden, first(golden)))
        .filter(
            each ->
                each.node.spec() instanceof LayerSpec.MaxPool2d
                    || each.node.spec() instanceof LayerSpec.AvgPool2d
                    || each.node.spec() instanceof LayerSpec.GlobalAvgPool)
        .filter(each -> !window(each.node).overhang());
  }

  private static Node first(Golden.Case golden) {
    return ModelGraph.of(golden.spec("model", ModelSpec.class)).nodes().get(0);
  }

  static List<Arguments> examplesAndPrecisions() {
    List<Arguments> all = new ArrayList<>();
    examples()
        .forEach(
            each -> Stream.of(Precision.values()).forEach(p -> all.add(Arguments.of(each, p))));
    return all;
  }

  @ParameterizedTest(name = "{0}, {1}")
  @MethodSource("examplesAndPrecisions")
  void goldenCasesPass(Example example, Precision precision) {
    Golden.Case golden = example.golden;
    Node node = example.node;
    boolean training = kind(node) != PoolOp.Kind.MAX;
    double[] x = DeviceFloats.rounded(precision, golden.tensor("x").values());
    double[] dy = DeviceFloats.rounded(precision, golden.tensor("dy").values());
    Bench bench = new Bench(node, precision, training, x, dy);
    boolean exact = precision.elementBytes() == Float.BYTES;
    ReferenceNet reference = reference(node);
    double[] y = reference.forward(x, true);
    assertClose("y", precision, bench.forward(), exact ? golden.tensor("y").values() : y);
    if (training) {
      double[] dx = exact ? golden.tensor("dx").values() : reference.backward(dy).dx();
      assertClose("dx", precision, bench.backward(), dx);
    }
  }

  private static ReferenceNet reference(Node node) {
    ModelSpec model = new ModelSpec(node.in().get(0), List.of(node.spec()));
    return new ReferenceNet(ModelGraph.of(model), Map.of());
  }

  @ParameterizedTest
  @EnumSource
  void ofUnequalValuesTheLargestGetsTheGradient(Precision precision) {
    Node node = node(SHAPE, max(false));
    double[] x = shuffled(2 * SHAPE.elements());
    double[] dy = values(2 * node.out().elements(), new Random(4));
    Bench bench = new Bench(node, precision, true, x, dy);
    ReferenceNet reference = reference(node);
    assertClose("y", precision, bench.forward(), reference.forward(x, true));
    assertClose("dx", precision, bench.backward(), reference.backward(dy).dx());
    assertThat(bench.op.backwardReads()).isEqualTo(new LayerOp.Reads(true, true));
  }

  /** 0, 1, 2 and so on up to 255, which every precision holds, in some order. */
  private static double[] shuffled(int count) {
    assertThat(count).isLessThan(256);
    List<Double> values = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      values.add((double) i);
    }
    Collections.shuffle(values, new Random(1));
    return values.stream().mapToDouble(Double::doubleValue).toArray();
  }

  @Test
  void aNanIsAboveAllNumbers() {
    Node node =
        node(
            Shape.image(1, 2, 2), new LayerSpec.MaxPool2d("l", null, Pair.of(2), null, null, null));
    double[] x = {1, Double.NaN, 3, 2};
    assertThat(new Bench(node, Precision.FP32, false, x, null).forward()).containsOnly(Double.NaN);
  }

  /** To a run that is deterministic, as the context is. */
  private boolean offered(LayerSpec spec, boolean training) {
    Node node = node(SHAPE, spec);
    OpFactory factory = new CudaOps(cuda(), 2, training, Precision.FP32);
    return own(spec.accept(factory, context(node))) instanceof FasterOp;
  }

  @Test
  void meansAreOffered() {
    assertThat(offered(average(false), true)).isTrue();
    assertThat(offered(average(false), false)).isTrue();
    assertThat(offered(new LayerSpec.GlobalAvgPool("l", null), true)).isTrue();
  }

  @Test
  void windowsThatHangOverAreNotOffered() {
    assertThat(offered(average(true), true)).isFalse();
    assertThat(offered(max(true), false)).isFalse();
  }

  @Test
  void gradientsOfMaximaAreOfferedOnlyToRunsThatNeedNotBeDeterministic() {
    assertThat(offered(max(false), true)).isFalse();
    assertThat(offered(max(false), false)).isTrue();
    assertThat(CudnnPool.agrees(PoolOp.Kind.MAX, true, false)).isTrue();
  }

  @Test
  void untilOneIsChosenMemoryIsKeptForBoth() {
    Node node = node(SHAPE, max(false));
    LayerOp ours =
        new PoolOp(cuda(), 2, true, Precision.FP32, kind(node), window(node), context(node));
    LayerOp cudnn =
        new CudnnPool(cuda(), 2, true, Precision.FP32, kind(node), window(node), context(node));
    LayerOp both = own(new FasterOp(cuda(), "both", List.of(), List.of(ours, cudnn)));
    assertThat(both.backwardReads()).isEqualTo(new LayerOp.Reads(true, true));
    assertThat(both.needs()).isEqualTo(ours.needs());
  }
}
