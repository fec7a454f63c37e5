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
import convtrain.graph.Node;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import java.util.List;

/**
 * Batch norm over N, H, W per channel, with a ReLU and a dropout behind it where the graph has
 * them, kernels/batch_norm.cu: x, y [N, H, W, C], weight, bias, running_mean, running_var [C].
 *
 * <p>Saved memory: mean [C], 1 / deviation [C]. Scratch: two means that dx subtracts [C], then the
 * partial sums of the blocks. Each starts on a 64-byte boundary.
 */
final class BatchNormOp implements LayerOp {
  private static final String FILE = "batch_norm";
  private static final int SUMS = 2;

  private final Owned owned = new Owned();
  private final Grids.Rows rows;
  private final boolean training;
  private final boolean relu;
  private final double eps;
  private final double momentum;
  private final DropoutMasks.Mask mask;
  private final CudaBuffer tickets;
  private Launch statistics;
  private Launch forward;
  private Launch sums;
  private Launch backward;

  BatchNormOp(
      CudaContext cuda,
      int batch,
      boolean training,
      Precision precision,
      LayerSpec.BatchNorm2d spec,
      LayerContext context,
      DropoutMasks masks) {
    Shape shape = context.node().out();
    this.training = training;
    eps = spec.eps();
    momentum = spec.momentum();
    relu = context.fused().stream().anyMatch(node -> node.spec() instanceof LayerSpec.Relu);
    long pixels = Math.multiplyExact((long) batch * shape.height(), shape.width());
    rows = Grids.Rows.of(cuda, precision, pixels, shape.channels());
    try {
      tickets = training ? owned.add(cuda.allocate(rows.ticketBytes())) : null;
      mask = training ? mask(masks, batch, context) : DropoutMasks.Mask.NONE;
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, this);
      throw e;
    }
  }

  private DropoutMasks.Mask mask(DropoutMasks masks, int batch, LayerContext context) {
    for (Node node : context.fused()) {
      if (node.spec() instanceof LayerSpec.Dropout dropout) {
        int elements = Math.multiplyExact(batch, node.out().elements());
        return masks.add(owned, context.random(), node.index(), dropout.p(), elements);
      }
    }
    return DropoutMasks.Mask.NONE;
  }

  /** Whether {@code next} can join a batch norm that already took {@code fused}. */
  static boolean fuses(List<Node> fused, LayerSpec next) {
    boolean last = fused.stream().anyMatch(node -> node.spec() instanceof LayerSpec.Dropout);
    return !last
        && (next instanceof LayerSpec.Relu && fused.isEmpty() || next instanceof LayerSpec.Dropout);
  }

  @Override
  public Needs needs() {
    return training
        ? new Needs(2 * vectorBytes(), 2 * vectorBytes() + rows.partialBytes(SUMS))
        : Needs.NOTHING;
  }

  private long vectorBytes() {
    return (rows.channels() * (long) Float.BYTES + 63) / 64 * 64;
  }

  @Override
  public boolean backwardInPlace() {
    return true;
  }

  @Override
  public void bind(Binding b) {
    if (!training) {
      bindEvaluation(b);
      return;
    }
    CudaBuffer x = CudaBuffer.of(b.x().get(0));
    DeviceBuffer mean = b.saved().slice(0, vectorBytes());
    DeviceBuffer invstd = b.saved().slice(vectorBytes(), vectorBytes());
    statistics =
        rows.launch(
            FILE,
            "batch_norm_statistics",
            x,
            rows.rows(),
            rows.channels(),
            eps,
            momentum,
            partials(b),
            tickets,
            mean,
            invstd,
            b.parameters().get("running_mean"),
            b.parameters().get("running_var"));
    forward =
        rows.launch(
            FILE,
            "batch_norm_forward",
            x,
            b.y(),
            rows.rows(),
            rows.channels(),
            mean,
            invstd,
            b.parameters().get("weight"),
            b.parameters().get("bias"),
            relu ? 1 : 0,
            mask.kept(),
            mask.scale());
    if (b.dy() != null) {
      bindBackward(b, x, mean, invstd);
    }
  }

  private void bindBackward(Binding b, CudaBuffer x, DeviceBuffer mean, DeviceBuffer invstd) {
    DeviceBuffer meanG = b.scratch().slice(0, vectorBytes());
    DeviceBuffer meanGXhat = b.scratch().slice(vectorBytes(), vectorBytes());
    sums =
        rows.launch(
            FILE,
            "batch_norm_sums",
            x,
            b.dy(),
            rows.rows(),
            rows.channels(),
            mean,
            invstd,
            b.parameters().get("weight"),
            b.parameters().get("bias"),
            relu ? 1 : 0,
            mask.kept(),
            mask.scale(),
            partials(b),
            tickets,
            b.gradients().get("weight"),
            b.gradients().get("bias"),
            meanG,
            meanGXhat);
    if (b.dx().get(0) != null) {
      backward =
          rows.launch(
              FILE,
              "batch_norm_backward",
              x,
              b.dy(),
              b.dx().get(0),
              rows.rows(),
              rows.channels(),
              mean,
              invstd,
              b.parameters().get("weight"),
              b.parameters().get("bias"),
              relu ? 1 : 0,
              mask.kept(),
              mask.scale(),
              meanG,
              meanGXhat);
    }
  }

  private DeviceBuffer partials(Binding b) {
    return b.scratch().slice(2 * vectorBytes(), rows.partialBytes(SUMS));
  }

  private void bindEvaluation(Binding b) {
    forward =
        rows.launch(
            FILE,
            "batch_norm_evaluation",
            b.x().get(0),
            b.y(),
            rows.rows(),
            rows.channels(),
            b.parameters().get("running_mean"),
            b.parameters().get("running_var"),
            b.parameters().get("weight"),
            b.parameters().get("bias"),
            eps,
            relu ? 1 : 0);
  }

  @Override
  public void forward() {
    if (statistics != null) {
      statistics.enqueue();
    }
    forward.enqueue();
  }

  @Override
  public void backward() {
    sums.enqueue();
    if (backward != null) {
      backward.enqueue();
    }
  }

  @Override
  public String implementation() {
    return "convtrain:batch_norm" + (relu ? "+relu" : "") + (mask.kept() == null ? "" : "+dropout");
  }

  @Override
  public void close() {
    owned.close();
  }
}
