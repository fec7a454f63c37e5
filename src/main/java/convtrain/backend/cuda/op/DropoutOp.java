package convtrain.backend.cuda.op;

import convtrain.backend.Binding;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.LayerContext;
import convtrain.backend.LayerOp;
import convtrain.backend.Owned;
import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.Launch;
import convtrain.graph.LayerSpec;
import convtrain.graph.Precision;

/** Dropout that stands alone, kernels/dropout.cu. In evaluation it is the identity. */
final class DropoutOp implements LayerOp {
  private final Owned owned = new Owned();
  private final Grids.Packs packs;
  private final DropoutMasks.Mask mask;
  private Launch forward;
  private Launch backward;

  DropoutOp(
      CudaContext cuda,
      int batch,
      boolean training,
      Precision precision,
      LayerSpec.Dropout spec,
      LayerContext context,
      DropoutMasks masks) {
    int elements = Math.multiplyExact(batch, context.node().out().elements());
    packs = Grids.Packs.of(cuda, precision, elements);
    mask =
        training
            ? masks.add(owned, context.random(), context.node().index(), spec.p(), elements)
            : DropoutMasks.Mask.NONE;
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
    forward = launch(b.x().get(0), b.y());
    if (b.dy() != null && b.dx().get(0) != null) {
      backward = launch(b.dy(), b.dx().get(0));
    }
  }

  /** Null where nothing is to be done: an identity in place. */
  private Launch launch(DeviceBuffer from, DeviceBuffer to) {
    CudaBuffer x = CudaBuffer.of(from);
    CudaBuffer y = CudaBuffer.of(to);
    if (mask.kept() == null && x.address() == y.address()) {
      return null;
    }
    return packs.launch("dropout", "dropout", x, y, packs.count(), mask.kept(), mask.scale());
  }

  @Override
  public void forward() {
    if (forward != null) {
      forward.enqueue();
    }
  }

  @Override
  public void backward() {
    if (backward != null) {
      backward.enqueue();
    }
  }

  @Override
  public String implementation() {
    return "convtrain:dropout";
  }

  @Override
  public void close() {
    owned.close();
  }
}
