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
import org.bytedeco.dnnl.memory;

/**
 * [N, H, W, C] as stored to [N, C H W] as PyTorch flattens: a transposition. With one channel or
 * one pixel both orders are one, and if the plan gives output and input the same memory nothing
 * runs.
 */
final class FlattenOp implements LayerOp {
  private final Owned owned = new Owned();
  private final memory.desc image;
  private final memory.desc flat;
  private final Kernel forward;
  private final Kernel backward;
  private final boolean sameOrder;
  private boolean forwardMoves;
  private boolean backwardMoves;

  FlattenOp(Dnnl dnnl, int batch, boolean training, Node node) {
    Shape in = node.in().get(0);
    sameOrder = in.channels() == 1 || in.isVector();
    try {
      image = owned.add(dnnl.activation(batch, in));
      flat = owned.add(dnnl.activation(memory.format_tag.abcd, batch, in));
      forward = owned.add(Kernel.reorder(dnnl, image, flat));
      backward = training ? owned.add(Kernel.reorder(dnnl, flat, image)) : null;
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
    return Reads.NEITHER;
  }

  @Override
  public boolean forwardInPlace() {
    return sameOrder;
  }

  @Override
  public boolean backwardInPlace() {
    return sameOrder;
  }

  @Override
  public void bind(Binding b) {
    forward.with(DNNL_ARG_FROM, image, b.x().get(0)).with(DNNL_ARG_TO, flat, b.y());
    forward.ready(b.scratch());
    forwardMoves = !CpuBuffer.samePlace(b.x().get(0), b.y());
    if (backward != null && b.dx().get(0) != null) {
      backward.with(DNNL_ARG_FROM, flat, b.dy()).with(DNNL_ARG_TO, image, b.dx().get(0));
      backward.ready(b.scratch());
      backwardMoves = !CpuBuffer.samePlace(b.dy(), b.dx().get(0));
    }
  }

  @Override
  public void forward() {
    if (forwardMoves) {
      forward.execute();
    }
  }

  @Override
  public void backward() {
    if (backwardMoves) {
      backward.execute();
    }
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
