package convtrain.backend.cuda.op;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.backend.DeviceBuffer;
import convtrain.backend.ParameterLayout;
import convtrain.graph.LayerSpec;
import convtrain.graph.ModelGraph;
import convtrain.graph.ModelSpec;
import convtrain.graph.Node;
import convtrain.graph.Pair;
import convtrain.graph.Shape;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Where each weight stands in storage; host memory stands for the device's. */
class CudaLayoutsTest {
  private static final class HostBuffer implements DeviceBuffer {
    private final ByteBuffer memory;

    HostBuffer(long bytes) {
      memory = ByteBuffer.allocate(Math.toIntExact(bytes)).order(ByteOrder.nativeOrder());
    }

    @Override
    public long bytes() {
      return memory.capacity();
    }

    @Override
    public DeviceBuffer slice(long offsetBytes, long bytes) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void write(long offsetBytes, ByteBuffer from) {
      memory.put((int) offsetBytes, from, from.position(), from.remaining());
    }

    @Override
    public void read(long offsetBytes, ByteBuffer into) {
      into.put(into.position(), memory, (int) offsetBytes, into.remaining());
    }

    @Override
    public void close() {}
  }

  private static Node node(Shape in, LayerSpec spec) {
    return ModelGraph.of(new ModelSpec(in, List.of(spec))).nodes().get(0);
  }

  @Test
  void convolutionWeightsAreStoredChannelsLastAndComeBack() {
    LayerSpec conv =
        new LayerSpec.Conv2d(null, null, 6, new Pair(2, 3), null, null, null, 2, true, null);
    Node node = node(Shape.image(8, 5, 5), conv);
    int k = 6;
    int c = 4;
    int r = 2;
    int s = 3;
    float[] weight = new float[k * c * r * s];
    for (int i = 0; i < weight.length; i++) {
      weight[i] = i;
    }
    ParameterLayout layout = CudaLayouts.of(node, node.parameters().get(0));
    assertThat(layout.bytes()).isEqualTo(weight.length * 4L);
    HostBuffer stored = new HostBuffer(layout.bytes());
    layout.write(weight, stored);
    for (int ik = 0; ik < k; ik++) {
      for (int ic = 0; ic < c; ic++) {
        for (int ir = 0; ir < r; ir++) {
          for (int is = 0; is < s; is++) {
            float found = stored.memory.getFloat(4 * (((ik * r + ir) * s + is) * c + ic));
            assertThat(found).isEqualTo(weight[((ik * c + ic) * r + ir) * s + is]);
          }
        }
      }
    }
    float[] back = new float[weight.length];
    layout.read(stored, back);
    assertThat(back).isEqualTo(weight);
  }

  @Test
  void allElseIsStoredAsItIs() {
    Node node = node(Shape.vector(3), new LayerSpec.Linear(null, null, 2, true, null));
    float[] weight = {1, 2, 3, 4, 5, 6};
    ParameterLayout layout = CudaLayouts.of(node, node.parameters().get(0));
    HostBuffer stored = new HostBuffer(layout.bytes());
    layout.write(weight, stored);
    for (int i = 0; i < weight.length; i++) {
      assertThat(stored.memory.getFloat(4 * i)).isEqualTo(weight[i]);
    }
  }
}
