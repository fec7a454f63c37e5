package convtrain.backend.cpu.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import convtrain.backend.BackendException;
import convtrain.backend.LayerContext;
import convtrain.backend.LayerOp;
import convtrain.backend.Owned;
import convtrain.backend.ParameterLayout;
import convtrain.backend.cpu.dnnl.Dnnl;
import convtrain.backend.cpu.dnnl.Workers;
import convtrain.graph.ModelGraph;
import convtrain.graph.ModelSpec;
import convtrain.graph.Node;
import convtrain.graph.ParameterSpec;
import convtrain.graph.Precision;
import convtrain.testing.SpecJson;
import java.util.AbstractList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.Pointer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** An op whose constructor fails leaves no native object; JavaCPP counts those that are open. */
class FailedOpTest {
  private static final int N = 2;

  /** Fails where an op asks for it: when its forward primitive is made. */
  private static final List<Boolean> FAILING =
      new AbstractList<>() {
        @Override
        public Boolean get(int index) {
          throw new IllegalStateException("told to fail");
        }

        @Override
        public int size() {
          return 1;
        }
      };

  /** A layer behind a first one. */
  private static Node node(String layer) {
    String model = "{\"input\": [10, 6, 6], \"layers\": [{\"type\": \"relu\"}, " + layer + "]}";
    ModelGraph graph = ModelGraph.of(SpecJson.read(SpecJson.parse(model), ModelSpec.class));
    return graph.nodes().get(1);
  }

  private static Map<String, ParameterLayout> layouts(CpuOps ops, Node node, Owned owned) {
    Map<String, ParameterLayout> layouts = new LinkedHashMap<>();
    for (ParameterSpec parameter : node.parameters()) {
      layouts.put(parameter.name(), owned.add(ops.parameterLayout(node, parameter)));
    }
    return layouts;
  }

  private static void assertNothingIsLeft(
      CpuOps ops, Node node, LayerContext context, Class<? extends Throwable> failure) {
    long before = Pointer.totalCount();
    assertThatThrownBy(() -> node.spec().accept(ops, context)).isInstanceOf(failure);
    assertThat(Pointer.totalCount()).isLessThanOrEqualTo(before);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"type\": \"conv2d\", \"out_channels\": 12, \"kernel_size\": 3}",
        "{\"type\": \"softmax\"}",
        "{\"type\": \"gelu\"}",
      })
  void anOpThatFailsBehindItsForwardPrimitiveReleasesIt(String layer) {
    try (Owned owned = new Owned()) {
      Dnnl dnnl = owned.add(new Dnnl(Precision.FP32));
      CpuOps ops = new CpuOps(dnnl, new Workers(2), N, true);
      Node node = node(layer);
      Map<String, ParameterLayout> layouts = layouts(ops, node, owned);
      long before = Pointer.totalCount();
      LayerContext good = new LayerContext(node, List.of(), List.of(true), layouts, null);
      try (LayerOp op = node.spec().accept(ops, good)) {
        assertThat(op.implementation()).isNotEmpty();
        assertThat(Pointer.totalCount()).isGreaterThan(before);
      }
      assertThat(Pointer.totalCount()).isLessThanOrEqualTo(before);
      LayerContext failing = new LayerContext(node, List.of(), FAILING, layouts, null);
      assertNothingIsLeft(ops, node, failing, IllegalStateException.class);
    }
  }

  /** Of 360 floats a sample; the plan adds the layer's name and shape. */
  @Test
  void aTensorLargerThanOurOwnPassesReachIsToldWithItsBytes() {
    try (Owned owned = new Owned()) {
      Dnnl dnnl = owned.add(new Dnnl(Precision.FP32));
      CpuOps ops = new CpuOps(dnnl, new Workers(2), 1 << 22, true);
      Node node = node("{\"type\": \"dropout\"}");
      LayerContext context = new LayerContext(node, List.of(), List.of(true), Map.of(), null);
      assertThatThrownBy(() -> node.spec().accept(ops, context))
          .isInstanceOf(BackendException.class)
          .hasMessage(
              "a tensor of 6,039,797,760 bytes, of which this backend reaches 2,147,483,647;"
                  + " use a smaller train.batch_size or a smaller model");
    }
  }

  /** Without an engine the first primitive fails, when the descriptors are made. */
  @ParameterizedTest
  @ValueSource(
      strings = {
        "{\"type\": \"conv2d\", \"out_channels\": 12, \"kernel_size\": 3}",
        "{\"type\": \"batch_norm2d\"}",
        "{\"type\": \"max_pool2d\", \"kernel_size\": 2}",
        "{\"type\": \"global_avg_pool\"}",
        "{\"type\": \"tanh\"}",
        "{\"type\": \"softmax\"}",
        "{\"type\": \"flatten\"}",
        "{\"type\": \"concat\", \"inputs\": [\"input\", \"relu1\"]}",
        "{\"type\": \"add\", \"inputs\": [\"input\", \"relu1\"]}",
      })
  void anOpThatFailsAtItsFirstPrimitiveReleasesItsDescriptors(String layer) {
    try (Owned owned = new Owned()) {
      Dnnl dnnl = owned.add(new Dnnl(Precision.FP32));
      CpuOps ops = new CpuOps(dnnl, new Workers(2), N, true);
      Node node = node(layer);
      List<Boolean> needed = node.inputs().stream().map(input -> true).toList();
      LayerContext context =
          new LayerContext(node, List.of(), needed, layouts(ops, node, owned), null);
      dnnl.close();
      assertNothingIsLeft(ops, node, context, RuntimeException.class);
    }
  }
}
