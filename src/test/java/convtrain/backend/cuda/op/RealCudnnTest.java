package convtrain.backend.cuda.op;

import static jcuda.jcudnn.JCudnn.cudnnGetConvolution2dForwardOutputDim;
import static jcuda.jcudnn.JCudnn.cudnnGetPooling2dForwardOutputDim;
import static jcuda.jcudnn.JCudnn.cudnnGetTensor4dDescriptor;
import static org.assertj.core.api.Assertions.assertThat;

import convtrain.backend.cuda.device.Status;
import convtrain.graph.LayerSpec;
import convtrain.graph.ModelGraph;
import convtrain.graph.ModelSpec;
import convtrain.graph.Node;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import convtrain.graph.Window2d;
import convtrain.testing.Golden;
import convtrain.testing.RealCuda;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import jcuda.jcudnn.cudnnDataType;
import jcuda.jcudnn.cudnnMathType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * NVIDIA's cuDNN takes the descriptors of every convolution, pooling and batch norm that a golden
 * case has, in every precision, and derives the shapes that our graph has. Without a GPU it makes
 * no handle, so that more than this it does not tell.
 */
@Tag(RealCuda.TAG)
@EnabledIfSystemProperty(named = RealCuda.PROPERTY, matches = ".+")
class RealCudnnTest {
  @BeforeAll
  static void load() {
    RealCuda.load();
  }

  /**
   * A layer of a golden case.
   *
   * @param n samples
   */
  private record Layer(String name, int n, Node node) {
    @Override
    public String toString() {
      return name + " " + node.in() + " x " + n;
    }
  }

  private static Stream<Layer> layers(Class<? extends LayerSpec> type) {
    return Golden.load("layers").cases().stream()
        .flatMap(
            golden ->
                ModelGraph.of(golden.spec("model", ModelSpec.class)).nodes().stream()
                    .filter(node -> type.isInstance(node.spec()))
                    .map(node -> new Layer(golden.name(), golden.tensor("x").dims().get(0), node)));
  }

  static List<Layer> convolutions() {
    return layers(LayerSpec.Conv2d.class).toList();
  }

  static List<Layer> norms() {
    return layers(LayerSpec.BatchNorm2d.class).toList();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("convolutions")
  void convolutionsHaveOurOutputShapes(Layer layer) {
    Shape out = layer.node.out();
    for (Precision precision : Precision.values()) {
      ConvGeometry g =
          ConvGeometry.of(precision, layer.n, (LayerSpec.Conv2d) layer.node.spec(), layer.node);
      try (CudnnTensor x = CudnnTensor.images(precision, g.n(), g.c(), g.h(), g.w());
          CudnnFilter w =
              new CudnnFilter(
                  precision, g.k(), g.c() / g.groups(), g.kernel().h(), g.kernel().w());
          CudnnWindow window = new CudnnWindow(g, cudnnMathType.CUDNN_TENSOR_OP_MATH)) {
        int[][] dims = IntStream.range(0, 4).mapToObj(i -> new int[1]).toArray(int[][]::new);
        Status.cudnn(
            "cudnnGetConvolution2dForwardOutputDim",
            cudnnGetConvolution2dForwardOutputDim(
                window.handle(), x.handle(), w.handle(), dims[0], dims[1], dims[2], dims[3]));
        assertThat(Stream.of(dims).map(dim -> dim[0]))
            .as("%s", precision)
            .containsExactly(layer.n, out.channels(), out.height(), out.width());
      }
    }
  }

  static List<Layer> poolings() {
    return Stream.of(
            LayerSpec.MaxPool2d.class, LayerSpec.AvgPool2d.class, LayerSpec.GlobalAvgPool.class)
        .flatMap(RealCudnnTest::layers)
        .toList();
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("poolings")
  void poolingsHaveOurOutputShapesUnlessAWindowHangsOver(Layer layer) {
    Shape in = layer.node.in().get(0);
    Shape out = layer.node.out();
    Window2d window = CudnnPoolTest.window(layer.node);
    PoolOp.Kind kind = CudnnPoolTest.kind(layer.node);
    assertThat(CudnnPoolWindow.fits(kind, window, in)).as("offered").isEqualTo(!window.overhang());
    for (Precision precision : Precision.values()) {
      try (CudnnTensor x =
              CudnnTensor.images(precision, layer.n, in.channels(), in.height(), in.width());
          CudnnPoolWindow cudnn = new CudnnPoolWindow(kind, window)) {
        int[][] dims = IntStream.range(0, 4).mapToObj(i -> new int[1]).toArray(int[][]::new);
        Status.cudnn(
            "cudnnGetPooling2dForwardOutputDim",
            cudnnGetPooling2dForwardOutputDim(
                cudnn.handle(), x.handle(), dims[0], dims[1], dims[2], dims[3]));
        List<Integer> found = Stream.of(dims).map(dim -> dim[0]).toList();
        List<Integer> ours = List.of(layer.n, out.channels(), out.height(), out.width());
        assertThat(found.equals(ours))
            .as("%s: cuDNN has %s, we have %s", precision, found, ours)
            .isEqualTo(!window.overhang());
      }
    }
  }

  @Test
  void goldenPoolingsAreOfferedAndNotOffered() {
    assertThat(poolings().stream().map(layer -> CudnnPoolTest.window(layer.node).overhang()))
        .contains(true, false);
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("norms")
  void batchNormsHaveAFloatPerChannel(Layer layer) {
    Shape in = layer.node.in().get(0);
    for (Precision precision : Precision.values()) {
      try (CudnnTensor x =
              CudnnTensor.images(precision, layer.n, in.channels(), in.height(), in.width());
          CudnnTensor statistics = CudnnTensor.perChannel(x)) {
        int[][] found = IntStream.range(0, 9).mapToObj(i -> new int[1]).toArray(int[][]::new);
        Status.cudnn(
            "cudnnGetTensor4dDescriptor",
            cudnnGetTensor4dDescriptor(
                statistics.handle(),
                found[0],
                found[1],
                found[2],
                found[3],
                found[4],
                found[5],
                found[6],
                found[7],
                found[8]));
        assertThat(Stream.of(found).limit(5).map(value -> value[0]))
            .as("%s", precision)
            .containsExactly(cudnnDataType.CUDNN_DATA_FLOAT, 1, in.channels(), 1, 1);
      }
    }
  }
}
