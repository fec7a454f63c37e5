package convtrain.backend.cpu.dnnl;

import convtrain.backend.DeviceBuffer;
import convtrain.backend.Owned;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Function;
import org.bytedeco.dnnl.IntMemoryMap;
import org.bytedeco.dnnl.memory;
import org.bytedeco.dnnl.primitive;
import org.bytedeco.dnnl.primitive_attr;
import org.bytedeco.dnnl.primitive_desc_base;
import org.bytedeco.dnnl.reorder;
import org.bytedeco.dnnl.stream;
import org.bytedeco.javacpp.BytePointer;

/**
 * One oneDNN primitive with its arguments: declared when made, tied to memory once, then only
 * executed.
 */
public final class Kernel implements AutoCloseable {
  private final Owned owned = new Owned();
  private final Dnnl dnnl;
  private final primitive primitive;
  private final String implementation;
  private final long scratchBytes;
  private final memory.desc scratchDesc;
  private final Map<Integer, memory> arguments = new LinkedHashMap<>();
  private IntMemoryMap map;

  /**
   * Takes ownership of the descriptor.
   *
   * @param make makes the primitive of it
   */
  public <D extends primitive_desc_base> Kernel(
      Dnnl dnnl, D desc, Function<D, ? extends primitive> make) {
    this.dnnl = dnnl;
    owned.add(desc);
    try {
      this.primitive = owned.add(make.apply(desc));
      implementation = implementation(desc);
      scratchDesc = owned.add(desc.scratchpad_desc());
      scratchBytes = scratchDesc.get_size();
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, owned);
      throw e;
    }
  }

  /** What oneDNN calls the implementation that a descriptor stands at. */
  public static String implementation(primitive_desc_base desc) {
    try (BytePointer info = desc.impl_info_str()) {
      return info.getString();
    }
  }

  /** Copies from one layout to another; arguments are DNNL_ARG_FROM and DNNL_ARG_TO. */
  public static Kernel reorder(Dnnl dnnl, memory.desc from, memory.desc to) {
    return reorder(dnnl, from, to, dnnl.attributes());
  }

  /** The same, adding to what is there. */
  public static Kernel adding(Dnnl dnnl, memory.desc from, memory.desc to) {
    return reorder(dnnl, from, to, dnnl.adding());
  }

  private static Kernel reorder(
      Dnnl dnnl, memory.desc from, memory.desc to, primitive_attr attributes) {
    var desc =
        new reorder.primitive_desc(dnnl.engine(), from, dnnl.engine(), to, attributes, false);
    return new Kernel(dnnl, desc, reorder::new);
  }

  /** The implementation oneDNN chose: {@code brg_conv_fwd:avx512_core}. */
  public String implementation() {
    return implementation;
  }

  /** Scratch memory that one execution needs. */
  public long scratchBytes() {
    return scratchBytes;
  }

  /** Ties one argument ({@code DNNL_ARG_*}) to memory. */
  public Kernel with(int argument, memory.desc desc, DeviceBuffer buffer) {
    memory tied = owned.add(dnnl.memory(desc, buffer));
    arguments.put(argument, tied);
    return this;
  }

  /** Ends the list of arguments; {@code scratch} may be null if none is needed. */
  public void ready(DeviceBuffer scratch) {
    if (scratchBytes > 0) {
      with(org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SCRATCHPAD, scratchDesc, scratch);
    }
    map = owned.add(new IntMemoryMap());
    arguments.forEach(map::put);
  }

  /** Runs it on the stream that all ops share. */
  public void execute() {
    execute(dnnl.stream());
  }

  /** Runs it on a stream that no other thread uses meanwhile. */
  public void execute(stream on) {
    primitive.execute(on, map);
  }

  @Override
  public void close() {
    owned.close();
  }
}
