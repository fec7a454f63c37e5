package convtrain.backend.cpu.op;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_FROM;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_TO;

import convtrain.backend.DeviceBuffer;
import convtrain.backend.Owned;
import convtrain.backend.cpu.dnnl.Dnnl;
import convtrain.backend.cpu.dnnl.Kernel;
import convtrain.graph.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import org.bytedeco.dnnl.memory;
import org.bytedeco.dnnl.primitive_desc;

/**
 * A kernel over activations that may want them in blocks of channels. Where oneDNN has vector code
 * for blocks only, the kernel works on copies padded to whole blocks, with reorders before and
 * after: batch norm over 10 channels is three times faster that way (benchmarks/cpu.md). Where the
 * plain layout has vector code, nothing is copied.
 *
 * <p>Scratch memory: the primitives' own first, then the copies, each 64-byte aligned.
 */
final class BlockedKernel implements AutoCloseable {
  private final Owned owned = new Owned();
  private final Dnnl dnnl;
  private final Kernel kernel;
  private final memory.desc plain;
  private final memory.desc inside;
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
  BlockedKernel(Dnnl dnnl, Kernel kernel, memory.desc plain, memory.desc inside, int reads) {
    this.dnnl = dnnl;
    this.kernel = owned.add(kernel);
    this.plain = plain;
    this.inside = inside;
    copies = Dnnl.same(plain, inside) ? 0 : reads;
    long bytes = kernel.scratchBytes();
    if (copies > 0) {
      try (Kernel in = Kernel.reorder(dnnl, plain, inside);
          Kernel out = Kernel.reorder(dnnl, inside, plain)) {
        bytes = Math.max(bytes, Math.max(in.scratchBytes(), out.scratchBytes()));
      }
    }
    ownBytes = aligned(bytes);
  }

  /**
   * The layout to make a kernel for: the plain one if it has vector code; else blocks of 16
   * channels, or of 8 where those pad less or where there is vector code for 8 only.
   *
   * @param descriptor makes the primitive's descriptor for a layout
   */
  static memory.desc layout(
      int batch, Shape shape, Function<memory.desc, primitive_desc> descriptor) {
    List<memory.format_tag> tags = new ArrayList<>(List.of(memory.format_tag.acdb));
    if ((shape.channels() - 1) % 16 >= 8) {
      tags.add(memory.format_tag.aBcd16b);
    }
    tags.add(memory.format_tag.aBcd8b);
    for (memory.format_tag tag : tags) {
      memory.desc layout = Dnnl.desc(tag, batch, shape.channels(), shape.height(), shape.width());
      try (primitive_desc desc = descriptor.apply(layout)) {
        if (Kernel.implementation(desc).contains("jit")) {
          return layout;
        }
      }
      layout.close();
    }
    return Dnnl.activation(batch, shape);
  }

  long scratchBytes() {
    return ownBytes + copies * aligned(inside.get_size());
  }

  private static long aligned(long bytes) {
    return (bytes + 63) / 64 * 64;
  }

  /** Starts the list of arguments. */
  Kernel bind(DeviceBuffer scratch) {
    this.scratch = scratch;
    return kernel;
  }

  /** Ties an activation that is read. */
  BlockedKernel reads(int argument, DeviceBuffer tensor) {
    if (copies == 0) {
      kernel.with(argument, plain, tensor);
    } else {
      kernel.with(argument, inside, copy(before.size()));
      before.add(reorder(plain, tensor, inside, copy(before.size())));
    }
    return this;
  }

  /** Ties the activation that is written; its copy takes the place of the last one read. */
  BlockedKernel writes(int argument, DeviceBuffer tensor) {
    if (copies == 0) {
      kernel.with(argument, plain, tensor);
    } else {
      kernel.with(argument, inside, copy(copies - 1));
      after.add(reorder(inside, copy(copies - 1), plain, tensor));
    }
    return this;
  }

  private DeviceBuffer copy(int index) {
    long bytes = aligned(inside.get_size());
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

  /** The kernel's implementation, and whether it works on copies. */
  String implementation() {
    return kernel.implementation() + (copies == 0 ? "" : " on blocks");
  }

  @Override
  public void close() {
    owned.close();
  }
}
