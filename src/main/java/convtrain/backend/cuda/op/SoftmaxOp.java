package convtrain.backend.cuda.op;

import static jcuda.jcudnn.JCudnn.cudnnSoftmaxBackward;
import static jcuda.jcudnn.JCudnn.cudnnSoftmaxForward;

import convtrain.backend.Binding;
import convtrain.backend.LayerContext;
import convtrain.backend.LayerOp;
import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.Status;
import convtrain.graph.LayerSpec;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import jcuda.Pointer;
import jcuda.jcudnn.cudnnSoftmaxAlgorithm;
import jcuda.jcudnn.cudnnSoftmaxMode;

/**
 * Softmax over the channels, or its logarithm, by cuDNN; the gradient is told from y. x, y [N, H,
 * W, C]; cuDNN is given the pixels as a batch of N H W.
 */
final class SoftmaxOp implements LayerOp {
  private static final int MODE = cudnnSoftmaxMode.CUDNN_SOFTMAX_MODE_CHANNEL;

  private final CudaContext cuda;
  private final int algorithm;
  private final CudnnTensor pixels;
  private Pointer x;
  private Pointer y;
  private Pointer dx;
  private Pointer dy;

  SoftmaxOp(
      CudaContext cuda,
      int batch,
      boolean training,
      Precision precision,
      LayerSpec.AnySoftmax spec,
      LayerContext context) {
    this.cuda = cuda;
    algorithm =
        spec.log()
            ? cudnnSoftmaxAlgorithm.CUDNN_SOFTMAX_LOG
            : cudnnSoftmaxAlgorithm.CUDNN_SOFTMAX_ACCURATE;
    Shape shape = context.node().out();
    int rows = Math.multiplyExact(batch, shape.height() * shape.width());
    pixels = CudnnTensor.images(precision, rows, shape.channels(), 1, 1);
  }

  @Override
  public Reads backwardReads() {
    return Reads.OUTPUT;
  }

  @Override
  public void bind(Binding b) {
    x = CudaBuffer.of(b.x().get(0)).pointer();
    y = CudaBuffer.of(b.y()).pointer();
    if (b.dy() != null && b.dx().get(0) != null) {
      dy = CudaBuffer.of(b.dy()).pointer();
      dx = CudaBuffer.of(b.dx().get(0)).pointer();
    }
  }

  @Override
  public void forward() {
    Status.cudnn(
        "cudnnSoftmaxForward",
        cudnnSoftmaxForward(
            cuda.cudnn(),
            algorithm,
            MODE,
            Factors.ONE,
            pixels.handle(),
            x,
            Factors.ZERO,
            pixels.handle(),
            y));
  }

  @Override
  public void backward() {
    Status.cudnn(
        "cudnnSoftmaxBackward",
        cudnnSoftmaxBackward(
            cuda.cudnn(),
            algorithm,
            MODE,
            Factors.ONE,
            pixels.handle(),
            y,
            pixels.handle(),
            dy,
            Factors.ZERO,
            pixels.handle(),
            dx));
  }

  @Override
  public String implementation() {
    return "cudnn";
  }

  @Override
  public void close() {
    pixels.close();
  }
}
