package convtrain.backend.cuda.op;

import convtrain.backend.Binding;
import convtrain.backend.LayerContext;
import convtrain.backend.LayerOp;
import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.Launch;
import convtrain.graph.Pair;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import convtrain.graph.Window2d;
import java.util.List;

/**
 * Maximum or mean of each window: x [N, H, W, C], y [N, hOut, wOut, C]; kernels/pool.cu.
 *
 * <p>Does every pooling there is; {@link CudnnPool} is measured against it where it means the same.
 * Its gradients read dy and, of a maximum, one byte per output, where cuDNN's read x, y and dy.
 *
 * <p>Saved memory of a maximum: which tap of its window was largest [N, hOut, wOut, C].
 */
final class PoolOp implements LayerOp {
  /** What is taken of a window. */
  enum Kind {
    MAX,
    MEAN_OF_PIXELS,
    MEAN_WITH_PADDING
  }

  private static final String FILE = "pool";
  private static final Pair ONE = Pair.of(1);

  private final CudaContext cuda;
  private final int batch;
  private final boolean training;
  private final Precision precision;
  private final Kind kind;
  private final Window2d window;
  private final Shape in;
  private final Shape out;
  private final Grids.ImageRows inRows;
  private final Grids.ImageRows outRows;
  private final int tapBytes;
  private Launch forward;
  private Launch backward;

  PoolOp(
      CudaContext cuda,
      int batch,
      boolean training,
      Precision precision,
      Kind kind,
      Window2d window,
      LayerContext context) {
    this.cuda = cuda;
    this.batch = batch;
    this.training = training;
    this.precision = precision;
    this.kind = kind;
    this.window = window;
    in = context.node().in().get(0);
    out = context.node().out();
    inRows = Grids.ImageRows.of(cuda, precision, batch, in);
    outRows = Grids.ImageRows.of(cuda, precision, batch, out);
    tapBytes = window.taps() <= 1 << 8 ? 1 : window.taps() <= 1 << 16 ? 2 : 4;
  }

  @Override
  public Needs needs() {
    boolean remembers = training && kind == Kind.MAX;
    return new Needs(remembers ? (long) batch * out.elements() * tapBytes : 0, 0);
  }

  @Override
  public Reads backwardReads() {
    return Reads.NEITHER;
  }

  @Override
  public void bind(Binding b) {
    CudaBuffer x = CudaBuffer.of(b.x().get(0));
    CudaBuffer y = CudaBuffer.of(b.y());
    CudaBuffer saved = training ? CudaBuffer.of(b.saved()) : null;
    CudaBuffer dy = CudaBuffer.of(b.dy());
    CudaBuffer dx = CudaBuffer.of(b.dx().get(0));
    boolean back = dy != null && dx != null;
    if (kind == Kind.MAX) {
      forward = windows("max_pool_forward", outRows, x, y, saved);
      backward = back ? windows("max_pool_backward", inRows, dy, saved, dx) : null;
    } else if (global()) {
      forward = globalForward(x, y);
      backward = back ? globalBackward(dy, dx) : null;
    } else {
      forward = windows("average_pool_forward", outRows, x, y);
      backward = back ? windows("average_pool_backward", inRows, dy, dx) : null;
    }
  }

  /** Whether one window is exactly the image. */
  private boolean global() {
    return window.out().equals(ONE)
        && window.kernel().equals(new Pair(in.height(), in.width()))
        && window.padTop() == 0
        && window.padLeft() == 0;
  }

  /** A kernel that takes the tensors first and the windows behind them. */
  private Launch windows(String function, Grids.ImageRows written, CudaBuffer... tensors) {
    List<String> defines =
        List.of(
            "KERNEL_H=" + window.kernel().h(),
            "KERNEL_W=" + window.kernel().w(),
            "TAP_BYTES=" + tapBytes);
    boolean mean = kind != Kind.MAX;
    Object[] numbers = {
      in.height(),
      in.width(),
      in.channels(),
      out.height(),
      out.width(),
      window.stride().h(),
      window.stride().w(),
      window.padTop(),
      window.padLeft(),
      kind == Kind.MEAN_WITH_PADDING ? 1 : 0
    };
    int count = mean ? numbers.length : numbers.length - 1;
    Object[] arguments = new Object[tensors.length + count];
    System.arraycopy(tensors, 0, arguments, 0, tensors.length);
    System.arraycopy(numbers, 0, arguments, tensors.length, count);
    return written.launch(FILE, function, defines, arguments);
  }

  private Launch globalForward(CudaBuffer x, CudaBuffer y) {
    int width = inRows.width();
    return cuda.kernels()
        .get(FILE, "global_average_forward", Grids.defines(precision, width))
        .launch(
            batch,
            (int) Grids.blocks(in.channels() / width),
            1,
            Grids.THREADS,
            1,
            1,
            0,
            new Object[] {x, y, pixels(), in.channels()});
  }

  private Launch globalBackward(CudaBuffer dy, CudaBuffer dx) {
    Shape line = Shape.image(in.channels(), 1, pixels());
    return Grids.ImageRows.of(cuda, precision, batch, line)
        .launch(FILE, "global_average_backward", List.of(), dy, dx, pixels(), in.channels());
  }

  private int pixels() {
    return in.height() * in.width();
  }

  @Override
  public void forward() {
    forward.enqueue();
  }

  @Override
  public void backward() {
    backward.enqueue();
  }

  @Override
  public String implementation() {
    return "convtrain:pool";
  }

  @Override
  public void close() {}
}
