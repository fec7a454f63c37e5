package convtrain.backend.cpu.op;

import static org.bytedeco.dnnl.global.dnnl.*;

import convtrain.backend.Binding;
import convtrain.backend.LayerOp;
import convtrain.backend.Owned;
import convtrain.backend.cpu.dnnl.CpuBuffer;
import convtrain.backend.cpu.dnnl.Dnnl;
import convtrain.backend.cpu.dnnl.Kernel;
import convtrain.graph.Node;
import convtrain.graph.Shape;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.dnnl.concat;
import org.bytedeco.dnnl.memory;
import org.bytedeco.dnnl.memory_desc_vector;

/** The inputs' channels one after the other; going back, each input takes its channels of dy. */
final class ConcatOp implements LayerOp {
  private static final int CHANNELS = 1;

  private final Owned owned = new Owned();
  private final Dnnl dnnl;
  private final int batch;
  private final List<memory.desc> parts = new ArrayList<>();
  private final memory.desc whole;
  private final Kernel forward;
  private final List<Kernel> splits = new ArrayList<>();

  ConcatOp(Dnnl dnnl, int batch, Node node) {
    this.dnnl = dnnl;
    this.batch = batch;
    try {
      for (Shape in : node.in()) {
        parts.add(owned.add(dnnl.activation(batch, in)));
      }
      whole = owned.add(dnnl.activation(batch, node.out()));
      try (memory_desc_vector descs = new memory_desc_vector(parts.toArray(memory.desc[]::new))) {
        var desc =
            new concat.primitive_desc(
                dnnl.engine(), whole, CHANNELS, descs, dnnl.attributes(), false);
        forward = owned.add(new Kernel(dnnl, desc, concat::new));
      }
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, owned);
      throw e;
    }
  }

  @Override
  public Needs needs() {
    return new Needs(0, forward.scratchBytes());
  }

  @Override
  public Reads backwardReads() {
    return Reads.NEITHER;
  }

  @Override
  public void bind(Binding b) {
    for (int i = 0; i < parts.size(); i++) {
      forward.with(DNNL_ARG_MULTIPLE_SRC + i, parts.get(i), b.x().get(i));
    }
    forward.with(DNNL_ARG_DST, whole, b.y()).ready(b.scratch());
    long offset = 0;
    for (int i = 0; i < b.dx().size(); i++) {
      long[] dims = new long[4];
      parts.get(i).get_dims().get(dims);
      if (b.dx().get(i) != null) {
        splits.add(split(b, i, dims, offset));
      }
      offset += dims[CHANNELS];
    }
  }

  private Kernel split(Binding b, int input, long[] dims, long offset) {
    memory.desc slice =
        owned.add(
            whole.submemory_desc(
                new long[] {batch, dims[1], dims[2], dims[3]}, new long[] {0, offset, 0, 0}));
    Kernel kernel = owned.add(Kernel.reorder(dnnl, slice, parts.get(input)));
    CpuBuffer scratch = owned.add(CpuBuffer.allocate(kernel.scratchBytes()));
    kernel
        .with(DNNL_ARG_FROM, slice, b.dy())
        .with(DNNL_ARG_TO, parts.get(input), b.dx().get(input))
        .ready(scratch);
    return kernel;
  }

  @Override
  public void forward() {
    forward.execute();
  }

  @Override
  public void backward() {
    for (int i = 0; i < splits.size(); i++) {
      splits.get(i).execute();
    }
  }

  @Override
  public String implementation() {
    StringBuilder all = new StringBuilder(forward.implementation());
    splits.forEach(kernel -> all.append(" | ").append(kernel.implementation()));
    return all.toString();
  }

  @Override
  public void close() {
    owned.close();
  }
}
