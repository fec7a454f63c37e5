package convtrain.backend.cpu.op;

import static org.bytedeco.dnnl.global.dnnl.*;

import convtrain.backend.Binding;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.Owned;
import convtrain.backend.cpu.dnnl.CpuBuffer;
import convtrain.backend.cpu.dnnl.Dnnl;
import convtrain.backend.cpu.dnnl.Kernel;
import java.nio.FloatBuffer;
import org.bytedeco.dnnl.memory;

/**
 * A primitive that reads a layer's weights: y from x, or dx from dy. Where it wants them otherwise
 * than they are stored, in another order, rounded to 16 bits or put together by index ({@link
 * ConvGeometry#weightIndex}), each run does that first.
 *
 * <p>Scratch memory: the primitives' own first, then the weights put together by index, then the
 * copy.
 */
final class WeightedKernel implements AutoCloseable {
  /**
   * A primitive and what it reads and writes.
   *
   * @param fromArgument which argument it reads besides the weights
   * @param weight the layout that it wants the weights in
   */
  record Product(
      Kernel kernel,
      int fromArgument,
      memory.desc from,
      memory.desc weight,
      int toArgument,
      memory.desc to) {
    /** y from x. */
    static Product forward(Kernel kernel, memory.desc x, memory.desc weight, memory.desc y) {
      return new Product(kernel, DNNL_ARG_SRC, x, weight, DNNL_ARG_DST, y);
    }

    /** dx from dy. */
    static Product backward(Kernel kernel, memory.desc dy, memory.desc weight, memory.desc dx) {
      return new Product(kernel, DNNL_ARG_DIFF_DST, dy, weight, DNNL_ARG_DIFF_SRC, dx);
    }
  }

  private final Owned owned = new Owned();
  private final Product product;
  private final int[] index;
  private final memory.desc source;
  private final Kernel copying;
  private DeviceBuffer scratch;
  private FloatBuffer storedValues;
  private FloatBuffer gatheredValues;

  /**
   * Takes ownership of the kernel and of the layout of its weights.
   *
   * @param stored layout of the weights in storage
   */
  WeightedKernel(Dnnl dnnl, Product product, memory.desc stored) {
    this(dnnl, product, stored, null);
  }

  /**
   * The same for weights that may be put together, in row-major order, from those in storage, which
   * are row-major floats then.
   *
   * @param source layout of the weights put together, or of those in storage where index is null
   * @param index where each lies in storage, negative for 0; null for those in storage as they are
   */
  WeightedKernel(Dnnl dnnl, Product product, memory.desc source, int[] index) {
    this.product = product;
    this.source = source;
    this.index = index;
    try {
      owned.add(product.kernel);
      owned.add(product.weight);
      copying =
          index == null && Dnnl.same(source, product.weight)
              ? null
              : owned.add(Kernel.reorder(dnnl, source, product.weight));
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, owned);
      throw e;
    }
  }

  long scratchBytes() {
    return ownScratch() + gatheredBytes() + copyBytes();
  }

  private long ownScratch() {
    long reorder = copying == null ? 0 : copying.scratchBytes();
    return CpuBuffer.aligned(Math.max(product.kernel.scratchBytes(), reorder));
  }

  private long gatheredBytes() {
    return index == null ? 0 : CpuBuffer.aligned(source.get_size());
  }

  private long copyBytes() {
    return copying == null ? 0 : product.weight.get_size();
  }

  /** Ties it to memory; the caller may tie more arguments and then calls {@link #ready}. */
  Kernel bind(Binding b, DeviceBuffer from, DeviceBuffer to) {
    scratch = b.scratch();
    product
        .kernel
        .with(product.fromArgument, product.from, from)
        .with(product.toArgument, product.to, to);
    return product.kernel.with(DNNL_ARG_WEIGHTS, product.weight, weights(b));
  }

  private DeviceBuffer weights(Binding b) {
    DeviceBuffer weights = b.parameters().get("weight");
    if (copying == null) {
      return weights;
    }
    if (index != null) {
      storedValues = CpuBuffer.floats(weights);
      weights = scratch.slice(ownScratch(), gatheredBytes());
      gatheredValues = CpuBuffer.floats(weights);
    }
    DeviceBuffer copy = scratch.slice(ownScratch() + gatheredBytes(), copyBytes());
    copying
        .with(DNNL_ARG_FROM, source, weights)
        .with(DNNL_ARG_TO, product.weight, copy)
        .ready(scratch);
    return copy;
  }

  /** Ends the list of arguments. */
  void ready() {
    product.kernel.ready(scratch);
  }

  void execute() {
    if (index != null) {
      gather();
    }
    if (copying != null) {
      copying.execute();
    }
    product.kernel.execute();
  }

  private void gather() {
    for (int i = 0; i < index.length; i++) {
      int from = index[i];
      gatheredValues.put(i, from < 0 ? 0 : storedValues.get(from));
    }
  }

  String implementation() {
    String own = product.kernel.implementation() + (index == null ? "" : " on 16");
    return copying == null ? own : copying.implementation() + " | " + own;
  }

  @Override
  public void close() {
    owned.close();
  }
}
