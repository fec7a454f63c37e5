package convtrain.backend.cuda.op;

import static jcuda.jcudnn.JCudnn.cudnnPoolingBackward;
import static jcuda.jcudnn.JCudnn.cudnnPoolingForward;

import convtrain.backend.Binding;
import convtrain.backend.LayerContext;
import convtrain.backend.LayerOp;
import convtrain.backend.Owned;
import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.Status;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import convtrain.graph.Window2d;
import jcuda.Pointer;

/**
 * Maximum or mean of each window by cuDNN: x [N, H, W, C], y [N, hOut, wOut, C]. The mean of a
 * whole image is that of one window.
 *
 * <p>cuDNN wants x and y going back. A maximum's gradient reads them, so that the plan keeps both.
 * A mean's depends on neither, and nothing is kept: dy stands in for y, and for x, which may not be
 * dx, as much scratch memory.
 */
final class CudnnPool implements LayerOp {
  private final Owned owned = new Owned();
  private final CudaContext cuda;
  private final boolean training;
  private final boolean max;
  private final long imageBytes;
  private final CudnnPoolWindow window;
  private final CudnnTensor images;
  private final CudnnTensor pooled;

  private Pointer x;
  private Pointer y;
  private Pointer dx;
  private Pointer dy;
  private Pointer xGoingBack;
  private Pointer yGoingBack;

  CudnnPool(
      CudaContext cuda,
      int batch,
      boolean training,
      Precision precision,
      PoolOp.Kind kind,
      Window2d window,
      LayerContext context) {
    this.cuda = cuda;
    this.training = training;
    max = kind == PoolOp.Kind.MAX;
    Shape in = context.node().in().get(0);
    Shape out = context.node().out();
    imageBytes = (long) batch * in.elements() * precision.elementBytes();
    try {
      this.window = owned.add(new CudnnPoolWindow(kind, window));
      images = owned.add(images(precision, batch, in));
      pooled = owned.add(images(precision, batch, out));
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, owned);
      throw e;
    }
  }

  private static CudnnTensor images(Precision precision, int batch, Shape shape) {
    return CudnnTensor.images(precision, batch, shape.channels(), shape.height(), shape.width());
  }

  /**
   * Whether cuDNN's result means what ours does. Means have one value and one gradient, and so has
   * the value of a maximum. Its gradient belongs, as in PyTorch, to the first of equals, which
   * behind a ReLU are common; cuDNN does not say to which, nor that it stays the same one. Only a
   * run that gave up determinism takes that.
   */
  static boolean agrees(PoolOp.Kind kind, boolean training, boolean deterministic) {
    return kind != PoolOp.Kind.MAX || !training || !deterministic;
  }

  @Override
  public Needs needs() {
    return new Needs(0, training && !max ? imageBytes : 0);
  }

  @Override
  public Reads backwardReads() {
    return max ? new Reads(true, true) : Reads.NEITHER;
  }

  @Override
  public void bind(Binding b) {
    x = CudaBuffer.of(b.x().get(0)).pointer();
    y = CudaBuffer.of(b.y()).pointer();
    if (b.dy() != null) {
      dx = CudaBuffer.of(b.dx().get(0)).pointer();
      dy = CudaBuffer.of(b.dy()).pointer();
      xGoingBack = max ? x : CudaBuffer.of(b.scratch()).pointer();
      yGoingBack = max ? y : dy;
    }
  }

  @Override
  public void forward() {
    Status.cudnn(
        "cudnnPoolingForward",
        cudnnPoolingForward(
            cuda.cudnn(),
            window.handle(),
            Factors.ONE,
            images.handle(),
            x,
            Factors.ZERO,
            pooled.handle(),
            y));
  }

  @Override
  public void backward() {
    Status.cudnn(
        "cudnnPoolingBackward",
        cudnnPoolingBackward(
            cuda.cudnn(),
            window.handle(),
            Factors.ONE,
            pooled.handle(),
            yGoingBack,
            pooled.handle(),
            dy,
            images.handle(),
            xGoingBack,
            Factors.ZERO,
            images.handle(),
            dx));
  }

  @Override
  public String implementation() {
    return "cudnn";
  }

  @Override
  public void close() {
    owned.close();
  }
}
