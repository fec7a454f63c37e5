package convtrain.backend.cpu.op;

import static org.bytedeco.dnnl.global.dnnl.*;

import convtrain.backend.Binding;
import convtrain.backend.LayerContext;
import convtrain.backend.LayerOp;
import convtrain.backend.Owned;
import convtrain.backend.cpu.dnnl.Dnnl;
import convtrain.backend.cpu.dnnl.Kernel;
import convtrain.backend.cpu.dnnl.TensorView;
import convtrain.graph.DropoutDraw;
import convtrain.graph.LayerSpec;
import convtrain.graph.Precision;
import org.bytedeco.dnnl.eltwise_forward;
import org.bytedeco.dnnl.memory;

/**
 * Dropout that stands alone: y = x / (1 - p), then what falls is zeroed; the gradient goes the same
 * way. In evaluation it is the identity. See {@link DropoutDraw} for which elements fall.
 */
final class DropoutOp implements LayerOp {
  private final Owned owned = new Owned();
  private final Precision precision;
  private final boolean training;
  private final memory.desc x;
  private final Kernel forward;
  private final Kernel backward;
  private final DropoutMasks.Mask mask;
  private TensorView y;
  private TensorView dx;

  DropoutOp(
      Dnnl dnnl,
      int batch,
      boolean training,
      LayerSpec.Dropout spec,
      LayerContext context,
      DropoutMasks masks) {
    precision = dnnl.precision();
    this.training = training;
    try {
      x = owned.add(dnnl.activation(batch, context.node().out()));
      float scale = training ? DropoutDraw.scale(spec.p()) : 1;
      forward = owned.add(scaling(dnnl, scale));
      boolean needsInputGradient = training && context.needsInputGradient().get(0);
      backward = needsInputGradient ? owned.add(scaling(dnnl, scale)) : null;
      mask =
          training
              ? masks.add(
                  context.random(),
                  context.node().index(),
                  spec.p(),
                  dnnl.elements(batch, context.node().out()))
              : null;
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, owned);
      throw e;
    }
  }

  private Kernel scaling(Dnnl dnnl, float scale) {
    var desc =
        new eltwise_forward.primitive_desc(
            dnnl.engine(),
            dnnl_forward_inference,
            dnnl_eltwise_linear,
            x,
            x,
            scale,
            0f,
            dnnl.attributes(),
            false);
    return new Kernel(dnnl, desc, eltwise_forward::new);
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
  public boolean forwardInPlace() {
    return true;
  }

  @Override
  public boolean backwardInPlace() {
    return true;
  }

  @Override
  public void bind(Binding b) {
    forward.with(DNNL_ARG_SRC, x, b.x().get(0)).with(DNNL_ARG_DST, x, b.y()).ready(b.scratch());
    y = TensorView.of(precision, b.y());
    if (backward != null) {
      backward
          .with(DNNL_ARG_SRC, x, b.dy())
          .with(DNNL_ARG_DST, x, b.dx().get(0))
          .ready(b.scratch());
      dx = TensorView.of(precision, b.dx().get(0));
    }
  }

  @Override
  public void forward() {
    forward.execute();
    if (training) {
      mask.drop(y, null);
    }
  }

  @Override
  public void backward() {
    backward.execute();
    mask.zero(dx);
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
