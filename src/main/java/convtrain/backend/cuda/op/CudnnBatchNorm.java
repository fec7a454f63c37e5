package convtrain.backend.cuda.op;

import static jcuda.jcudnn.JCudnn.cudnnBatchNormalizationBackward;
import static jcuda.jcudnn.JCudnn.cudnnBatchNormalizationForwardInference;
import static jcuda.jcudnn.JCudnn.cudnnBatchNormalizationForwardTraining;

import convtrain.backend.Binding;
import convtrain.backend.LayerContext;
import convtrain.backend.LayerOp;
import convtrain.backend.Owned;
import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.Status;
import convtrain.graph.LayerSpec;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import java.util.Arrays;
import jcuda.Pointer;
import jcuda.jcudnn.cudnnBatchNormMode;

/**
 * Batch norm over N, H, W per channel by cuDNN, and nothing behind it: x, y [N, H, W, C], weight,
 * bias, running_mean, running_var fp32 [C]. Each forward pass of a training op moves the running
 * statistics, so measuring it must not touch those of a run.
 *
 * <p>Saved memory: mean [C], then 1 / sqrt(variance + eps) [C], each fp32. Scratch, going back: dx
 * where nobody wants it, the gradients of weight and bias where the layer has none.
 */
final class CudnnBatchNorm implements LayerOp {
  private static final int MODE = cudnnBatchNormMode.CUDNN_BATCHNORM_SPATIAL;

  private final Owned owned = new Owned();
  private final CudaContext cuda;
  private final boolean training;
  private final boolean needsInputGradient;
  private final double eps;
  private final double momentum;
  private final boolean affine;
  private final long vectorBytes;
  private final long imageBytes;
  private final CudnnTensor images;
  private final CudnnTensor perChannel;
  private final CudaBuffer ones;
  private final CudaBuffer zeros;

  private Pointer x;
  private Pointer y;
  private Pointer dx;
  private Pointer dy;
  private Pointer weight;
  private Pointer bias;
  private Pointer dWeight;
  private Pointer dBias;
  private Pointer runningMean;
  private Pointer runningVar;
  private Pointer mean;
  private Pointer invstd;

  CudnnBatchNorm(
      CudaContext cuda,
      int batch,
      boolean training,
      Precision precision,
      LayerSpec.BatchNorm2d spec,
      LayerContext context) {
    this.cuda = cuda;
    this.training = training;
    needsInputGradient = training && context.needsInputGradient().get(0);
    eps = spec.eps();
    momentum = spec.momentum();
    affine = spec.affine();
    Shape shape = context.node().in().get(0);
    int channels = shape.channels();
    vectorBytes = Elements.aligned((long) channels * Float.BYTES);
    imageBytes = Elements.aligned((long) batch * shape.elements() * precision.elementBytes());
    try {
      images =
          owned.add(CudnnTensor.images(precision, batch, channels, shape.height(), shape.width()));
      perChannel = owned.add(CudnnTensor.perChannel(images));
      ones = affine ? null : owned.add(filled(channels));
      zeros = affine ? null : owned.add(cuda.allocate(vectorBytes));
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, owned);
      throw e;
    }
  }

  /** Whether cuDNN has a batch norm for such activations in all three of its passes. */
  static boolean applies(Precision precision) {
    return precision != Precision.BF16;
  }

  private CudaBuffer filled(int channels) {
    float[] values = new float[channels];
    Arrays.fill(values, 1);
    return Upload.floats(cuda, values);
  }

  @Override
  public Needs needs() {
    if (!training) {
      return Needs.NOTHING;
    }
    long unwanted = needsInputGradient ? 0 : imageBytes;
    return new Needs(2 * vectorBytes, unwanted + (affine ? 0 : 2 * vectorBytes));
  }

  @Override
  public void bind(Binding b) {
    x = CudaBuffer.of(b.x().get(0)).pointer();
    y = CudaBuffer.of(b.y()).pointer();
    runningMean = CudaBuffer.of(b.parameters().get("running_mean")).pointer();
    runningVar = CudaBuffer.of(b.parameters().get("running_var")).pointer();
    weight = (affine ? CudaBuffer.of(b.parameters().get("weight")) : ones).pointer();
    bias = (affine ? CudaBuffer.of(b.parameters().get("bias")) : zeros).pointer();
    if (training) {
      mean = CudaBuffer.of(b.saved()).slice(0, vectorBytes).pointer();
      invstd = CudaBuffer.of(b.saved()).slice(vectorBytes, vectorBytes).pointer();
    }
    if (b.dy() != null) {
      bindBackward(b);
    }
  }

  private void bindBackward(Binding b) {
    CudaBuffer scratch = CudaBuffer.of(b.scratch());
    dy = CudaBuffer.of(b.dy()).pointer();
    long used = 0;
    if (b.dx().get(0) != null) {
      dx = CudaBuffer.of(b.dx().get(0)).pointer();
    } else {
      dx = scratch.slice(0, imageBytes).pointer();
      used = imageBytes;
    }
    if (affine) {
      dWeight = CudaBuffer.of(b.gradients().get("weight")).pointer();
      dBias = CudaBuffer.of(b.gradients().get("bias")).pointer();
    } else {
      dWeight = scratch.slice(used, vectorBytes).pointer();
      dBias = scratch.slice(used + vectorBytes, vectorBytes).pointer();
    }
  }

  @Override
  public void forward() {
    if (training) {
      forwardTraining();
    } else {
      Status.cudnn(
          "cudnnBatchNormalizationForwardInference",
          cudnnBatchNormalizationForwardInference(
              cuda.cudnn(),
              MODE,
              Factors.ONE,
              Factors.ZERO,
              images.handle(),
              x,
              images.handle(),
              y,
              perChannel.handle(),
              weight,
              bias,
              runningMean,
              runningVar,
              eps));
    }
  }

  private void forwardTraining() {
    Status.cudnn(
        "cudnnBatchNormalizationForwardTraining",
        cudnnBatchNormalizationForwardTraining(
            cuda.cudnn(),
            MODE,
            Factors.ONE,
            Factors.ZERO,
            images.handle(),
            x,
            images.handle(),
            y,
            perChannel.handle(),
            weight,
            bias,
            momentum,
            runningMean,
            runningVar,
            eps,
            mean,
            invstd));
  }

  @Override
  public void backward() {
    Status.cudnn(
        "cudnnBatchNormalizationBackward",
        cudnnBatchNormalizationBackward(
            cuda.cudnn(),
            MODE,
            Factors.ONE,
            Factors.ZERO,
            Factors.ONE,
            Factors.ZERO,
            images.handle(),
            x,
            images.handle(),
            dy,
            images.handle(),
            dx,
            perChannel.handle(),
            weight,
            dWeight,
            dBias,
            eps,
            mean,
            invstd));
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
