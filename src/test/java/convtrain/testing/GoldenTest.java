package convtrain.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import convtrain.graph.LayerSpec;
import convtrain.graph.ModelGraph;
import convtrain.graph.ModelSpec;
import convtrain.graph.Node;
import convtrain.graph.OptimizerSpec;
import convtrain.graph.ParameterSpec;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.NoSuchElementException;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

class GoldenTest {
  private static final String HEADER =
      """
      {"__metadata__": {"torch": "9.9", "cases": "[{\\"name\\": \\"a\\"}, {\\"name\\": \\"b\\"}]"},
       "a/x": {"dtype": "F32", "shape": [2, 1], "data_offsets": [0, 8]},
       "b/group/y": {"dtype": "I32", "shape": [1], "data_offsets": [8, 12]},
       "b/z": {"dtype": "F64", "shape": [], "data_offsets": [12, 20]}}
      """;

  @Test
  void tensorsAreReadWithTheirDimensionsAndTypes() {
    Golden golden = Golden.parse(file(HEADER));
    assertThat(golden.torch()).isEqualTo("9.9");
    assertThat(golden.cases()).extracting(Golden.Case::name).containsExactly("a", "b");
    assertThat(golden.named("a").tensor("x").dims()).containsExactly(2, 1);
    assertThat(golden.named("a").tensor("x").floats()).containsExactly(1.5f, -2f);
    assertThat(golden.named("b").group("group").get("y").ints()).containsExactly(7);
    assertThat(golden.named("b").tensor("z").values()).containsExactly(0.1);
  }

  @Test
  void sizesThatDisagreeAreRejected() {
    assertThatThrownBy(() -> Golden.parse(file(HEADER.replace("[2, 1]", "[3, 1]"))))
        .hasMessage("8 bytes for 3 values of F32");
  }

  @Test
  void unknownCasesAndTensorsAreNamed() {
    Golden golden = Golden.parse(file(HEADER));
    assertThatThrownBy(() -> golden.named("c"))
        .isInstanceOf(NoSuchElementException.class)
        .hasMessageContaining("\"c\"");
    assertThatThrownBy(() -> golden.named("a").tensor("y")).hasMessageContaining("it has [x]");
  }

  @Test
  void everyLayerTypeHasACase() {
    Set<String> tested = new TreeSet<>();
    for (Golden.Case each : Golden.load("layers").cases()) {
      each.spec("model", ModelSpec.class).layers().forEach(layer -> tested.add(layer.type()));
    }
    assertThat(tested).isEqualTo(types(LayerSpec.class));
  }

  @Test
  void everyOptimizerHasACase() {
    Set<String> tested = new TreeSet<>();
    for (Golden.Case each : Golden.load("optimizers").cases()) {
      tested.add(LayerSpec.typeOf(each.spec("optimizer", OptimizerSpec.class).getClass()));
    }
    assertThat(tested).isEqualTo(types(OptimizerSpec.class));
  }

  @Test
  void shapesAndParametersOfAllCasesAreAsTheGraphInfersThem() {
    for (Golden.Case each : Golden.load("layers").cases()) {
      ModelGraph graph = ModelGraph.of(each.spec("model", ModelSpec.class));
      assertThat(each.tensor("y").dims())
          .as(each.name())
          .endsWith(boxed(graph.output().out().dims()))
          .startsWith(each.tensor("x").dims().get(0));
      List<String> trained = new ArrayList<>();
      for (Node node : graph.nodes()) {
        for (ParameterSpec parameter : node.parameters()) {
          String name = node.tensorName(parameter);
          assertThat(each.group("parameters").get(name).dims())
              .as("%s: %s", each.name(), name)
              .isEqualTo(parameter.dims());
          if (parameter.trainable()) {
            trained.add(name);
          }
        }
      }
      assertThat(each.group("gradients").keySet())
          .as(each.name())
          .containsExactlyInAnyOrderElementsOf(trained);
    }
  }

  private static ByteBuffer file(String header) {
    byte[] text = header.getBytes(StandardCharsets.UTF_8);
    return ByteBuffer.allocate(8 + text.length + 20)
        .order(ByteOrder.LITTLE_ENDIAN)
        .putLong(text.length)
        .put(text)
        .putFloat(1.5f)
        .putFloat(-2f)
        .putInt(7)
        .putDouble(0.1)
        .flip();
  }

  private static Set<String> types(Class<?> sealed) {
    Set<String> types = new TreeSet<>();
    for (Class<?> permitted : sealed.getPermittedSubclasses()) {
      if (permitted.isSealed()) {
        types.addAll(types(permitted));
      } else {
        types.add(LayerSpec.typeOf(permitted));
      }
    }
    return types;
  }

  private static Integer[] boxed(int[] values) {
    Integer[] boxed = new Integer[values.length];
    for (int i = 0; i < boxed.length; i++) {
      boxed[i] = values[i];
    }
    return boxed;
  }
}
