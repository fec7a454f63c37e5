package convtrain.backend.cuda.op;

import convtrain.backend.Binding;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.LayerOp;
import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.Launch;
import convtrain.graph.Node;
import convtrain.graph.Precision;
import convtrain.graph.Shape;

/**
 * [N, H, W, C] as stored to [N, C H W] as PyTorch flattens: a transposition, kernels/flatten.cu.
 * With one channel or one pixel both orders are one, and if the plan gives output and input the
 * same memory nothing runs.
 */
final class FlattenOp implements LayerOp {
  private static final int TILE = 32;

  private final CudaContext cuda;
  private final int batch;
  private final Precision precision;
  private final int channels;
  private final int pixels;
  private Launch forward;
  private Launch backward;

  FlattenOp(CudaContext cuda, int batch, Precision precision, Node node) {
    this.cuda = cuda;
    this.batch = batch;
    this.precision = precision;
    Shape in = node.in().get(0);
    channels = in.channels();
    pixels = in.height() * in.width();
  }

  @Override
  public Reads backwardReads() {
    return Reads.NEITHER;
  }

  @Override
  public boolean forwardInPlace() {
    return channels == 1 || pixels == 1;
  }

  @Override
  public boolean backwardInPlace() {
    return forwardInPlace();
  }

  @Override
  public void bind(Binding b) {
    forward = transpose(b.x().get(0), b.y(), pixels, channels);
    if (b.dy() != null && b.dx().get(0) != null) {
      backward = transpose(b.dy(), b.dx().get(0), channels, pixels);
    }
  }

  /** Each sample's [rows, columns] to [columns, rows]; null where both are the same memory. */
  private Launch transpose(DeviceBuffer from, DeviceBuffer to, int rows, int columns) {
    CudaBuffer x = CudaBuffer.of(from);
    CudaBuffer y = CudaBuffer.of(to);
    if (x.address() == y.address()) {
      return null;
    }
    long tiles = (long) tiles(rows) * tiles(columns);
    return cuda.kernels()
        .get("flatten", "transpose", "PRECISION=" + precision.ordinal())
        .launch(Math.multiplyExact(tiles, (long) batch), Grids.THREADS, x, y, rows, columns);
  }

  private static int tiles(int length) {
    return (length + TILE - 1) / TILE;
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
    return "convtrain:transpose";
  }

  @Override
  public void close() {}
}
