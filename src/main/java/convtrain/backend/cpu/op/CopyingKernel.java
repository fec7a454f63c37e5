package convtrain.backend.cpu.op;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_FROM;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_TO;

import convtrain.backend.DeviceBuffer;
import convtrain.backend.Owned;
import convtrain.backend.cpu.dnnl.CpuBuffer;
import convtrain.backend.cpu.dnnl.Dnnl;
import convtrain.backend.cpu.dnnl.Kernel;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import java.util.function.Supplier;
import org.bytedeco.dnnl.memory;
import org.bytedeco.dnnl.primitive_desc;

/**
 * A kernel over activations that may want them otherwise than they lie in the plan. Where oneDNN
 * has no vector code for the plan's layout, the kernel works on copies, with reorders before and
 * after: on blocks of channels, padded (batch norm over 10 channels is three times faster that
 * way), or on floats where activations are bf16 (over 8 channels, ten times faster;
 * benchmarks/cpu.md). Where the plan's layout has vector code, nothing is copied.
 *
 * <p>Scratch memory: the primitives' own first, then the copies, each at a multiple of 64 bytes.
 */
final class CopyingKernel implements AutoCloseable {
  private final Owned owned = new Owned();
  private final Dnnl dnnl;
  private final Kernel kernel;
  private final memory.desc plain;
  private final memory.desc inside;
  private final boolean keepsOrder;
  private final int copies;
  private final long ownBytes;
  private final List<Kernel> before = new ArrayList<>();
  private final List<Kernel> after = new ArrayList<>();
  private DeviceBuffer scratch;

  /**
   * Takes ownership of the kernel.
   *
   * @param plain the activations' layout in the plan
   * @param inside the layout that the kernel was made for, from {@link #layout}
   * @param reads how many activations the kernel reads
   */
  CopyingKernel(Dnnl dnnl, Kernel kernel, memory.desc plain, memory.desc inside, int reads) {
    this.dnnl = dnnl;
    try {
      this.kernel = owned.add(kernel);
      this.plain = plain;
      this.inside = inside;
      copies = Dnnl.same(plain, inside) ? 0 : reads;
      keepsOrder = inside.get_inner_nblks() == 0;
      long bytes = kernel.scratchBytes();
      if (copies > 0) {
        try (Kernel in = Kernel.reorder(dnnl, plain, inside);
            Kernel out = Kernel.reorder(dnnl, inside, plain)) {
          bytes = Math.max(bytes, Math.max(in.scratchBytes(), out.scratchBytes()));
        }
      }
      ownBytes = CpuBuffer.aligned(bytes);
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, owned);
      throw e;
    }
  }

  /**
   * The layout to make a kernel for, the first that has vector code: the plan's own; the same as
   * floats; blocks of 16 or of 8 channels, first those that pad less. If none has, the plan's own.
   *
   * @param descriptor makes the primitive's descriptor for a layout
   */
  static memory.desc layout(
      Dnnl dnnl, int batch, Shape shape, Function<memory.desc, primitive_desc> descriptor) {
    boolean eightsPadLess = (shape.channels() - 1) % 16 < 8;
    memory.format_tag few = eightsPadLess ? memory.format_tag.aBcd8b : memory.format_tag.aBcd16b;
    memory.format_tag many = eightsPadLess ? memory.format_tag.aBcd16b : memory.format_tag.aBcd8b;
    List<Supplier<memory.desc>> layouts = new ArrayList<>();
    layouts.add(() -> dnnl.activation(batch, shape));
    if (dnnl.precision() != Precision.FP32) {
      layouts.add(() -> Dnnl.floats(batch, shape));
    }
    layouts.add(() -> dnnl.activation(few, batch, shape));
    layouts.add(() -> dnnl.activation(many, batch, shape));
    for (Supplier<memory.desc> candidate : layouts) {
      memory.desc layout = candidate.get();
      try (primitive_desc desc = descriptor.apply(layout)) {
        if (Kernel.implementation(desc).contains("jit")) {
          return layout;
        }
      } catch (RuntimeException | Error e) {
        Owned.closeAfter(e, layout);
        throw e;
      }
      layout.close();
    }
    return dnnl.activation(batch, shape);
  }

  long scratchBytes() {
    return ownBytes + copies * CpuBuffer.aligned(inside.get_size());
  }

  /** Starts the list of arguments. */
  Kernel bind(DeviceBuffer scratch) {
    this.scratch = scratch;
    return kernel;
  }

  /** Ties an activation that is read. */
  CopyingKernel reads(int argument, DeviceBuffer tensor) {
    if (copies == 0) {
      kernel.with(argument, plain, tensor);
    } else {
      kernel.with(argument, inside, copy(before.size()));
      before.add(reorder(plain, tensor, inside, copy(before.size())));
    }
    return this;
  }

  /** Ties the activation that is written; its copy takes the place of the last one read. */
  CopyingKernel writes(int argument, DeviceBuffer tensor) {
    if (copies == 0) {
      kernel.with(argument, plain, tensor);
    } else {
      kernel.with(argument, inside, copy(copies - 1));
      after.add(reorder(inside, copy(copies - 1), plain, tensor));
    }
    return this;
  }

  private DeviceBuffer copy(int index) {
    long bytes = CpuBuffer.aligned(inside.get_size());
    return scratch.slice(ownBytes + index * bytes, bytes);
  }

  private Kernel reorder(
      memory.desc from, DeviceBuffer source, memory.desc to, DeviceBuffer target) {
    Kernel reorder = owned.add(Kernel.reorder(dnnl, from, to));
    reorder.with(DNNL_ARG_FROM, from, source).with(DNNL_ARG_TO, to, target).ready(scratch);
    return reorder;
  }

  /** Ends the list of arguments. */
  void ready() {
    kernel.ready(scratch);
  }

  void execute() {
    for (int i = 0; i < before.size(); i++) {
      before.get(i).execute();
    }
    kernel.execute();
    for (int i = 0; i < after.size(); i++) {
      after.get(i).execute();
    }
  }

  /** Whether the kernel meets the elements in the plan's order: not in blocks. */
  boolean keepsOrder() {
    return keepsOrder;
  }

  /** The kernel's implementation, and what it works on if on copies. */
  String implementation() {
    String copied = keepsOrder ? " on floats" : " on blocks";
    return kernel.implementation() + (copies == 0 ? "" : copied);
  }

  @Override
  public void close() {
    owned.close();
  }
}
