package convtrain.backend.cpu.op;

import convtrain.backend.cpu.dnnl.CpuBuffer;
import convtrain.backend.cpu.dnnl.TensorView;
import java.nio.IntBuffer;

/**
 * The bits by which a ReLU fused into batch norm remembers what it let through, one per element.
 * The backward pass lets the gradient through where a bit is set; so clearing the bits of dropped
 * elements drops their gradient too, a pass over 1/32 of the gradient's bytes.
 *
 * <p>oneDNN does not document its workspaces. So the bits are compared with the output of a step,
 * and used only once they agreed.
 */
final class ReluBits {
  private final IntBuffer bits;
  private final TensorView y;
  private boolean agreed;

  private ReluBits(IntBuffer bits, TensorView y) {
    this.bits = bits;
    this.y = y;
  }

  /** The bits in a workspace, or null if its size shows that it holds something else. */
  static ReluBits in(CpuBuffer workspace, TensorView y) {
    int words = y.count() / Integer.SIZE;
    boolean fits =
        y.count() % Integer.SIZE == 0 && workspace.bytes() == (long) words * Integer.BYTES;
    return fits ? new ReluBits(workspace.asBytes().asIntBuffer(), y) : null;
  }

  /**
   * Whether the bits can be relied on. To be asked between the forward pass and any change to y.
   */
  boolean agree() {
    if (!agreed) {
      agreed = compare();
    }
    return agreed;
  }

  /**
   * Clears those that {@code kept} has not set.
   *
   * @param first the first word of 32 bits
   * @param end the word after the last; what lies beyond the tensor is left out
   */
  void keep(int[] kept, int first, int end) {
    for (int i = first; i < Math.min(end, bits.capacity()); i++) {
      bits.put(i, bits.get(i) & kept[i]);
    }
  }

  /** Whether bit by bit y is positive; only a y of both kinds can tell. */
  private boolean compare() {
    int positive = 0;
    for (int e = 0; e < y.count(); e++) {
      boolean passed = (bits.get(e / Integer.SIZE) >>> e % Integer.SIZE & 1) == 1;
      if (passed != y.get(e) > 0) {
        return false;
      }
      positive += passed ? 1 : 0;
    }
    return positive > 0 && positive < y.count();
  }
}
