package convtrain.graph;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ModelGraphTest {
  private static final Shape IMAGE = Shape.image(1, 28, 28);

  @Test
  void unnamedLayersAreNamedByTypeAndOrdinal() {
    ModelGraph graph =
        graph(IMAGE, conv(null, 4), relu(null), conv("mine", 4), relu(null), conv(null, 4));
    assertThat(graph.nodes())
        .extracting(Node::name)
        .containsExactly("conv2d1", "relu1", "mine", "relu2", "conv2d3");
  }

  @Test
  void layersFormAChainUnlessTheyNameTheirInputs() {
    ModelGraph graph =
        graph(
            IMAGE,
            conv("a", 4),
            conv("b", 4, "input"),
            new LayerSpec.Add("sum", List.of("a", "b")),
            relu(null));
    assertThat(graph.nodes())
        .extracting(Node::inputs)
        .containsExactly(List.of(Node.INPUT), List.of(Node.INPUT), List.of(0, 1), List.of(2));
    assertThat(graph.output().out()).isEqualTo(Shape.image(4, 26, 26));
  }

  @Test
  void concatenationAddsChannels() {
    ModelGraph graph =
        graph(
            IMAGE,
            conv("a", 4),
            conv("b", 3, "input"),
            new LayerSpec.Concat(null, List.of("b", "a", "b")));
    assertThat(graph.output().out()).isEqualTo(Shape.image(10, 26, 26));
  }

  @Test
  void unknownInputIsAnsweredWithTheNearestNames() {
    GraphException error = failure(conv("first", 4), relu("second", "frist"));
    assertThat(error.layer()).isEqualTo(1);
    assertThat(error.layerName()).isEqualTo("second");
    assertThat(error).hasMessage("no layer before it is called \"frist\"; known: first, input");
  }

  @Test
  void inputsMustStandBeforeTheirReader() {
    assertThat(failure(relu("a", "b"), relu("b")))
        .hasMessage("no layer before it is called \"b\"; known: input");
  }

  @Test
  void namesMustBeUniqueAndPlain() {
    assertThat(failure(relu("a"), relu("a")))
        .hasMessage("the name \"a\" is taken; give this layer another \"name\"");
    assertThat(failure(relu("relu2"), relu(null)).layer()).isEqualTo(1);
    assertThat(failure(relu("input"))).hasMessageContaining("is taken");
    assertThat(failure(relu("a.b")))
        .hasMessage("name=\"a.b\"; expected letters, digits, _, - or /");
  }

  @Test
  void layerThatNobodyReadsIsNamed() {
    GraphException error = failure(relu("lost"), relu("b", "input"));
    assertThat(error.layerName()).isEqualTo("lost");
    assertThat(error).hasMessageStartingWith("its output is read by no layer");
  }

  @Test
  void sumsNeedOneShapeAndSaySo() {
    assertThat(
            failure(
                conv("a", 4), conv("b", 5, "input"), new LayerSpec.Add("sum", List.of("a", "b"))))
        .hasMessageStartingWith(
            "needs inputs of one shape, found a [4, 26, 26], b [5, 26, 26]; a 1x1 conv2d");
  }

  @Test
  void severalInputsGoOnlyToLayersThatTakeThem() {
    assertThat(failure(relu("a"), relu("b"), relu("c", "a", "b")))
        .hasMessage("takes one input, found 2");
    assertThat(failure(new LayerSpec.Relu("a", List.of())))
        .hasMessage("inputs is empty; expected names of layers before it");
  }

  @Test
  void softmaxAtTheEndLeavesTheLogitsBeforeIt() {
    ModelGraph graph =
        graph(
            Shape.vector(4),
            new LayerSpec.Linear(null, null, 3, null, null),
            new LayerSpec.LogSoftmax(null, null));
    assertThat(graph.logits()).isZero();
    assertThat(graph.classes()).isEqualTo(3);
    assertThat(graph(Shape.vector(4), relu(null)).logits()).isZero();
  }

  @Test
  void outputThatIsNoClassVectorIsRefused() {
    assertThat(catchThrowableOfType(GraphException.class, () -> graph(IMAGE, relu(null)).classes()))
        .hasMessageStartingWith("the network's output is [1, 28, 28]; a classifier ends in");
  }

  @Test
  void normalisationKeepsRunningStatisticsThatAreNotTrained() {
    ModelGraph graph =
        graph(IMAGE, conv("a", 4), new LayerSpec.BatchNorm2d("bn", null, null, null, null));
    assertThat(graph.nodes().get(1).parameters())
        .extracting(graph.nodes().get(1)::tensorName)
        .containsExactly("bn.weight", "bn.bias", "bn.running_mean", "bn.running_var");
    assertThat(graph.trainableParameters()).isEqualTo(4 * 9 + 2 * 4);
    assertThat(ModelSummary.of(graph).buffers()).isEqualTo(2 * 4);
  }

  /** Worked out by hand, layer by layer, for the 19,192-parameter network without its BN. */
  @Test
  void summaryOfTheNineteenThousandNetworkHasItsReceptiveFieldsAndCost() {
    List<LayerSpec> layers = new ArrayList<>();
    int[][] convs = {{3, 8}, {3, 16}, {0}, {1, 8}, {3, 8}, {3, 32}, {0}, {1, 16}, {3, 32}, {3, 32}};
    for (int[] each : convs) {
      layers.add(
          each[0] == 0
              ? new LayerSpec.MaxPool2d(null, null, Pair.of(2), null, null, null)
              : square(each[1], each[0]));
    }
    layers.add(new LayerSpec.GlobalAvgPool(null, null));
    layers.add(square(10, 1));
    ModelSummary summary = ModelSummary.of(graph(IMAGE, layers.toArray(LayerSpec[]::new)));
    assertThat(summary.rows())
        .extracting(row -> row.receptiveField().h())
        .containsExactly(3, 5, 6, 6, 10, 14, 16, 16, 24, 28, 28, 28);
    assertThat(summary.trainable()).isEqualTo(18_888);
    long full = 28 * 28 * (72L + 1152);
    long half = 14 * 14 * (128L + 576 + 2304);
    long quarter = 7 * 7 * (512L + 4608 + 9216);
    assertThat(summary.macs()).isEqualTo(full + half + quarter + 320);
  }

  private static LayerSpec square(int channels, int kernel) {
    return new LayerSpec.Conv2d(
        null,
        null,
        channels,
        Pair.of(kernel),
        null,
        Padding.of(kernel / 2),
        null,
        null,
        false,
        null);
  }

  private static LayerSpec conv(String name, int channels, String... inputs) {
    return new LayerSpec.Conv2d(
        name, inputsOf(inputs), channels, Pair.of(3), null, null, null, null, false, null);
  }

  private static LayerSpec relu(String name, String... inputs) {
    return new LayerSpec.Relu(name, inputsOf(inputs));
  }

  private static List<String> inputsOf(String... inputs) {
    return inputs.length == 0 ? null : List.of(inputs);
  }

  private static ModelGraph graph(Shape input, LayerSpec... layers) {
    return ModelGraph.of(new ModelSpec(input, List.of(layers)));
  }

  private static GraphException failure(LayerSpec... layers) {
    return catchThrowableOfType(GraphException.class, () -> graph(IMAGE, layers));
  }
}
