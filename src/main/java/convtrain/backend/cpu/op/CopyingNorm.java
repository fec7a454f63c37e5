package convtrain.backend.cpu.op;

import static org.bytedeco.dnnl.global.dnnl.*;

import convtrain.backend.Binding;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.Owned;
import convtrain.backend.cpu.dnnl.Dnnl;
import convtrain.backend.cpu.dnnl.Kernel;
import convtrain.graph.Shape;
import java.util.function.Function;
import org.bytedeco.dnnl.batch_normalization_backward;
import org.bytedeco.dnnl.batch_normalization_forward;
import org.bytedeco.dnnl.memory;

/** oneDNN's batch norm, on copies where it has no vector code for the plan's layout. */
final class CopyingNorm implements NormKernels {
  private final Owned owned = new Owned();
  private final boolean affine;
  private final CopyingKernel forward;
  private final CopyingKernel backward;
  private final memory.desc inside;
  private final memory.desc perChannel;
  private final memory.desc workspace;

  CopyingNorm(
      Dnnl dnnl,
      int batch,
      Shape shape,
      boolean training,
      boolean affine,
      boolean relu,
      float eps) {
    this.affine = affine;
    try {
      memory.desc plain = owned.add(dnnl.activation(batch, shape));
      perChannel = owned.add(Dnnl.vector(shape.channels()));
      int flags =
          (affine ? dnnl_use_scale | dnnl_use_shift : 0)
              | (relu ? dnnl_fuse_norm_relu : 0)
              | (training ? 0 : dnnl_use_global_stats);
      int kind = training ? dnnl_forward_training : dnnl_forward_inference;
      Function<memory.desc, batch_normalization_forward.primitive_desc> descriptor =
          layout ->
              new batch_normalization_forward.primitive_desc(
                  dnnl.engine(), kind, layout, layout, eps, flags, dnnl.attributes(), false);
      inside = owned.add(CopyingKernel.layout(dnnl, batch, shape, descriptor::apply));
      var desc = descriptor.apply(inside);
      Kernel kernel = new Kernel(dnnl, desc, batch_normalization_forward::new);
      forward = owned.add(new CopyingKernel(dnnl, kernel, plain, inside, 1));
      workspace = owned.add(desc.workspace_desc());
      backward = training ? owned.add(backward(dnnl, plain, eps, flags, desc)) : null;
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, owned);
      throw e;
    }
  }

  private CopyingKernel backward(
      Dnnl dnnl,
      memory.desc plain,
      float eps,
      int flags,
      batch_normalization_forward.primitive_desc hint) {
    int kind = affine ? dnnl_backward : dnnl_backward_data;
    var desc =
        new batch_normalization_backward.primitive_desc(
            dnnl.engine(),
            kind,
            inside,
            inside,
            inside,
            eps,
            flags,
            hint,
            dnnl.attributes(),
            false);
    Kernel kernel = new Kernel(dnnl, desc, batch_normalization_backward::new);
    return new CopyingKernel(dnnl, kernel, plain, inside, 2);
  }

  @Override
  public long workspaceBytes() {
    return workspace.get_size();
  }

  @Override
  public long scratchBytes() {
    long bytes = forward.scratchBytes();
    return backward == null ? bytes : Math.max(bytes, backward.scratchBytes());
  }

  @Override
  public boolean keepsOrder() {
    return forward.keepsOrder();
  }

  @Override
  public void bind(Binding b, Vectors vectors) {
    Kernel kernel = forward.bind(b.scratch());
    forward.reads(DNNL_ARG_SRC, b.x().get(0)).writes(DNNL_ARG_DST, b.y());
    bindCommon(kernel, vectors);
    if (affine) {
      kernel.with(DNNL_ARG_SHIFT, perChannel, vectors.bias());
    }
    forward.ready();
    if (backward != null && b.dy() != null) {
      bindBackward(b, vectors);
    }
  }

  private void bindBackward(Binding b, Vectors vectors) {
    DeviceBuffer dx = b.dx().get(0) == null ? b.dy() : b.dx().get(0);
    Kernel kernel = backward.bind(b.scratch());
    backward
        .reads(DNNL_ARG_SRC, b.x().get(0))
        .reads(DNNL_ARG_DIFF_DST, b.dy())
        .writes(DNNL_ARG_DIFF_SRC, dx);
    bindCommon(kernel, vectors);
    if (affine) {
      kernel
          .with(DNNL_ARG_DIFF_SCALE, perChannel, vectors.weightGradient())
          .with(DNNL_ARG_DIFF_SHIFT, perChannel, vectors.biasGradient());
    }
    backward.ready();
  }

  private void bindCommon(Kernel kernel, Vectors vectors) {
    kernel
        .with(DNNL_ARG_MEAN, perChannel, vectors.mean())
        .with(DNNL_ARG_VARIANCE, perChannel, vectors.variance());
    if (affine) {
      kernel.with(DNNL_ARG_SCALE, perChannel, vectors.weight());
    }
    if (workspaceBytes() > 0) {
      kernel.with(DNNL_ARG_WORKSPACE, workspace, vectors.workspace());
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
