package convtrain.backend.cpu.op;

import static org.bytedeco.dnnl.global.dnnl.*;

import convtrain.backend.Binding;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.LayerOp;
import convtrain.backend.Owned;
import convtrain.backend.cpu.dnnl.CpuBuffer;
import convtrain.backend.cpu.dnnl.Dnnl;
import convtrain.backend.cpu.dnnl.Kernel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.bytedeco.dnnl.memory;
import org.bytedeco.dnnl.memory_desc_vector;
import org.bytedeco.dnnl.sum;

/** y = sum of the inputs; each input's gradient is dy. */
final class SumOp implements LayerOp {
  private final Owned owned = new Owned();
  private final Dnnl dnnl;
  private final memory.desc flat;
  private final Kernel forward;
  private final List<Kernel> copies = new ArrayList<>();

  /**
   * @param inputs how many tensors are added
   * @param elements of each
   */
  SumOp(Dnnl dnnl, int inputs, long elements) {
    this.dnnl = dnnl;
    try {
      flat = owned.add(dnnl.flat(elements));
      float[] ones = new float[inputs];
      Arrays.fill(ones, 1);
      memory.desc[] all = new memory.desc[inputs];
      Arrays.fill(all, flat);
      try (memory_desc_vector descs = new memory_desc_vector(all)) {
        var desc =
            new sum.primitive_desc(dnnl.engine(), flat, ones, descs, dnnl.attributes(), false);
        forward = owned.add(new Kernel(dnnl, desc, sum::new));
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
    for (int i = 0; i < b.x().size(); i++) {
      forward.with(DNNL_ARG_MULTIPLE_SRC + i, flat, b.x().get(i));
    }
    DeviceBuffer scratch = b.scratch();
    if (scratch == null) {
      scratch = owned.add(CpuBuffer.allocate(forward.scratchBytes()));
    }
    forward.with(DNNL_ARG_DST, flat, b.y()).ready(scratch);
    for (DeviceBuffer dx : b.dx()) {
      if (dx != null) {
        Kernel copy = owned.add(Kernel.reorder(dnnl, flat, flat));
        CpuBuffer own = owned.add(CpuBuffer.allocate(copy.scratchBytes()));
        copy.with(DNNL_ARG_FROM, flat, b.dy()).with(DNNL_ARG_TO, flat, dx).ready(own);
        copies.add(copy);
      }
    }
  }

  @Override
  public void forward() {
    forward.execute();
  }

  @Override
  public void backward() {
    for (int i = 0; i < copies.size(); i++) {
      copies.get(i).execute();
    }
  }

  @Override
  public String implementation() {
    StringBuilder all = new StringBuilder(forward.implementation());
    copies.forEach(kernel -> all.append(" | ").append(kernel.implementation()));
    return all.toString();
  }

  @Override
  public void close() {
    owned.close();
  }
}
