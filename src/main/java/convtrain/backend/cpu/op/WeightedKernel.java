package convtrain.backend.cpu.op;

import static org.bytedeco.dnnl.global.dnnl.*;

import convtrain.backend.Binding;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.Owned;
import convtrain.backend.cpu.dnnl.CpuBuffer;
import convtrain.backend.cpu.dnnl.Dnnl;
import convtrain.backend.cpu.dnnl.Kernel;
import org.bytedeco.dnnl.memory;

/**
 * A primitive that reads a layer's weights: y from x, or dx from dy. Where it wants them otherwise
 * than they are stored, in another order or rounded to 16 bits, each run copies them first.
 *
 * <p>Scratch memory: the primitives' own first, then the copy.
 */
final class WeightedKernel implements AutoCloseable {
  private final Owned owned = new Owned();
  private final Kernel kernel;
  private final memory.desc stored;
  private final memory.desc wanted;
  private final Kernel copying;
  private DeviceBuffer scratch;

  /**
   * Takes ownership of the kernel and of the layout that it wants.
   *
   * @param stored layout of the weights in storage
   */
  WeightedKernel(Dnnl dnnl, Kernel kernel, memory.desc stored, memory.desc wanted) {
    this.kernel = owned.add(kernel);
    this.stored = stored;
    this.wanted = owned.add(wanted);
    copying = Dnnl.same(stored, wanted) ? null : owned.add(Kernel.reorder(dnnl, stored, wanted));
  }

  long scratchBytes() {
    return ownScratch() + copyBytes();
  }

  private long ownScratch() {
    long reorder = copying == null ? 0 : copying.scratchBytes();
    return CpuBuffer.aligned(Math.max(kernel.scratchBytes(), reorder));
  }

  private long copyBytes() {
    return copying == null ? 0 : wanted.get_size();
  }

  /** Ties the weights; the caller ties the others and then calls {@link #ready}. */
  Kernel bind(Binding b) {
    scratch = b.scratch();
    DeviceBuffer weight = b.parameters().get("weight");
    if (copying == null) {
      return kernel.with(DNNL_ARG_WEIGHTS, wanted, weight);
    }
    DeviceBuffer copy = scratch.slice(ownScratch(), copyBytes());
    copying.with(DNNL_ARG_FROM, stored, weight).with(DNNL_ARG_TO, wanted, copy).ready(scratch);
    return kernel.with(DNNL_ARG_WEIGHTS, wanted, copy);
  }

  /** Ends the list of arguments. */
  void ready() {
    kernel.ready(scratch);
  }

  void execute() {
    if (copying != null) {
      copying.execute();
    }
    kernel.execute();
  }

  String implementation() {
    String own = kernel.implementation();
    return copying == null ? own : copying.implementation() + " | " + own;
  }

  @Override
  public void close() {
    owned.close();
  }
}
