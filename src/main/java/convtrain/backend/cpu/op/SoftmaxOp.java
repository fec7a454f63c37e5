package convtrain.backend.cpu.op;

import static org.bytedeco.dnnl.global.dnnl.*;

import convtrain.backend.Binding;
import convtrain.backend.LayerContext;
import convtrain.backend.LayerOp;
import convtrain.backend.Owned;
import convtrain.backend.cpu.dnnl.Dnnl;
import convtrain.backend.cpu.dnnl.Kernel;
import convtrain.graph.LayerSpec;
import org.bytedeco.dnnl.memory;
import org.bytedeco.dnnl.softmax_backward;
import org.bytedeco.dnnl.softmax_forward;

/** Softmax over the channels, or its logarithm; the gradient is told from y. */
final class SoftmaxOp implements LayerOp {
  private static final int CHANNELS = 1;

  private final Owned owned = new Owned();
  private final memory.desc x;
  private final Kernel forward;
  private final Kernel backward;

  SoftmaxOp(
      Dnnl dnnl, int batch, boolean training, LayerSpec.AnySoftmax spec, LayerContext context) {
    try {
      x = owned.add(dnnl.activation(batch, context.node().out()));
      int kind = training ? dnnl_forward_training : dnnl_forward_inference;
      int algorithm = spec.log() ? dnnl_softmax_log : dnnl_softmax_accurate;
      var desc =
          new softmax_forward.primitive_desc(
              dnnl.engine(), kind, algorithm, x, x, CHANNELS, dnnl.attributes(), false);
      forward = owned.add(new Kernel(dnnl, desc, softmax_forward::new));
      Kernel back = null;
      if (training && context.needsInputGradient().get(0)) {
        var backDesc =
            new softmax_backward.primitive_desc(
                dnnl.engine(), algorithm, x, x, x, CHANNELS, desc, dnnl.attributes(), false);
        back = owned.add(new Kernel(dnnl, backDesc, softmax_backward::new));
      }
      backward = back;
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, owned);
      throw e;
    }
  }

  @Override
  public Needs needs() {
    return new Needs(
        0, Math.max(forward.scratchBytes(), backward == null ? 0 : backward.scratchBytes()));
  }

  @Override
  public Reads backwardReads() {
    return Reads.OUTPUT;
  }

  @Override
  public void bind(Binding b) {
    forward.with(DNNL_ARG_SRC, x, b.x().get(0)).with(DNNL_ARG_DST, x, b.y()).ready(b.scratch());
    if (backward != null) {
      backward
          .with(DNNL_ARG_DST, x, b.y())
          .with(DNNL_ARG_DIFF_DST, x, b.dy())
          .with(DNNL_ARG_DIFF_SRC, x, b.dx().get(0))
          .ready(b.scratch());
    }
  }

  @Override
  public void forward() {
    forward.execute();
  }

  @Override
  public void backward() {
    backward.execute();
  }

  @Override
  public String implementation() {
    return forward.implementation() + (backward == null ? "" : " | " + backward.implementation());
  }

  @Override
  public void close() {
    owned.close();
  }
}
