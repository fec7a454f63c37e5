package convtrain.backend.cpu.op;

import static org.bytedeco.dnnl.global.dnnl.*;

import convtrain.backend.Binding;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.Owned;
import convtrain.backend.cpu.dnnl.Dnnl;
import convtrain.backend.cpu.dnnl.Kernel;
import org.bytedeco.dnnl.memory;

/**
 * The forward pass of a layer with weights (convolution, linear): y from x, w and the bias, with a
 * copy of the weights where the primitive wants them rounded to 16 bits.
 *
 * <p>Scratch memory: the primitives' own first, then the copy.
 */
final class WeightedForward implements AutoCloseable {
  private final Owned owned = new Owned();
  private final memory.desc stored;
  private final memory.desc layout;
  private final Kernel kernel;
  private final Kernel storedToLayout;

  /**
   * Takes ownership of the kernel and of the layout that it wants the weights in.
   *
   * @param stored layout of the weights in storage
   */
  WeightedForward(Dnnl dnnl, memory.desc stored, Kernel kernel, memory.desc layout) {
    this.stored = stored;
    this.kernel = owned.add(kernel);
    this.layout = owned.add(layout);
    storedToLayout =
        Dnnl.same(stored, layout) ? null : owned.add(Kernel.reorder(dnnl, stored, layout));
  }

  long scratchBytes() {
    return ownScratch() + copyBytes();
  }

  /** The primitives' own scratch, rounded up so that the copy behind it is aligned. */
  private long ownScratch() {
    long reorder = storedToLayout == null ? 0 : storedToLayout.scratchBytes();
    return (Math.max(kernel.scratchBytes(), reorder) + 63) / 64 * 64;
  }

  private long copyBytes() {
    return storedToLayout == null ? 0 : layout.get_size();
  }

  /** Ties everything to memory; {@code biasDesc} is null for a layer without bias. */
  void bind(Binding b, memory.desc x, memory.desc y, memory.desc biasDesc) {
    DeviceBuffer weight = b.parameters().get("weight");
    DeviceBuffer used = weight;
    if (storedToLayout != null) {
      used = b.scratch().slice(ownScratch(), copyBytes());
      storedToLayout
          .with(DNNL_ARG_FROM, stored, weight)
          .with(DNNL_ARG_TO, layout, used)
          .ready(b.scratch());
    }
    kernel
        .with(DNNL_ARG_SRC, x, b.x().get(0))
        .with(DNNL_ARG_WEIGHTS, layout, used)
        .with(DNNL_ARG_DST, y, b.y());
    if (biasDesc != null) {
      kernel.with(DNNL_ARG_BIAS, biasDesc, b.parameters().get("bias"));
    }
    kernel.ready(b.scratch());
  }

  void run() {
    if (storedToLayout != null) {
      storedToLayout.execute();
    }
    kernel.execute();
  }

  String implementation() {
    String own = kernel.implementation();
    return storedToLayout == null ? own : storedToLayout.implementation() + " | " + own;
  }

  @Override
  public void close() {
    owned.close();
  }
}
