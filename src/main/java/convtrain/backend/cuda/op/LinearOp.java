package convtrain.backend.cuda.op;

import convtrain.backend.Binding;
import convtrain.backend.LayerContext;
import convtrain.backend.LayerOp;
import convtrain.backend.Owned;
import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.Launch;
import convtrain.graph.LayerSpec;
import convtrain.graph.Precision;
import java.util.ArrayList;
import java.util.List;

/**
 * y = x w^T + bias: x [N, in], w [out, in], bias [out], y [N, out].
 *
 * <p>Saved memory: the weights in the activations' precision, where that is not fp32.
 */
final class LinearOp implements LayerOp {
  private final Owned owned = new Owned();
  private final CudaContext cuda;
  private final Precision precision;
  private final MatrixProducts products;
  private final int weights;
  private final Bias bias;
  private final long scratchBytes;
  private final List<Runnable> forward = new ArrayList<>();
  private final List<Runnable> backward = new ArrayList<>();

  LinearOp(
      CudaContext cuda,
      int batch,
      boolean training,
      Precision precision,
      LayerSpec.Linear spec,
      LayerContext context) {
    this.cuda = cuda;
    this.precision = precision;
    int in = context.node().in().get(0).channels();
    products = new MatrixProducts(cuda, precision, batch, in, spec.outFeatures());
    weights = Math.multiplyExact(in, spec.outFeatures());
    bias = spec.bias() ? owned.add(new Bias(cuda, precision, batch, spec.outFeatures())) : null;
    scratchBytes = training && bias != null ? bias.gradientScratchBytes() : 0;
  }

  @Override
  public Needs needs() {
    long narrow = Elements.narrow(precision) ? (long) weights * precision.elementBytes() : 0;
    return new Needs(narrow, scratchBytes);
  }

  @Override
  public void bind(Binding b) {
    CudaBuffer x = CudaBuffer.of(b.x().get(0));
    CudaBuffer y = CudaBuffer.of(b.y());
    CudaBuffer weight = CudaBuffer.of(b.parameters().get("weight"));
    CudaBuffer factors = weight;
    if (Elements.narrow(precision)) {
      factors = CudaBuffer.of(b.saved());
      Launch narrow = Cast.fromFloat(cuda, precision, weight, factors, weights);
      forward.add(narrow::enqueue);
    }
    CudaBuffer biasAt = CudaBuffer.of(b.parameters().get("bias"));
    Runnable multiply = products.forward(x, factors, y);
    forward.add(Bias.after(multiply, cuda, precision, products.rows(), products.out(), y, biasAt));
    if (b.dy() != null) {
      bindBackward(b, x, factors);
    }
  }

  private void bindBackward(Binding b, CudaBuffer x, CudaBuffer factors) {
    CudaBuffer dy = CudaBuffer.of(b.dy());
    if (bias != null) {
      CudaBuffer dBias = CudaBuffer.of(b.gradients().get("bias"));
      Launch gradient = bias.gradient(dy, dBias, CudaBuffer.of(b.scratch()));
      backward.add(gradient::enqueue);
    }
    CudaBuffer dWeight = CudaBuffer.of(b.gradients().get("weight"));
    backward.add(products.backwardWeight(dy, x, dWeight));
    if (b.dx().get(0) != null) {
      backward.add(products.backwardData(dy, factors, CudaBuffer.of(b.dx().get(0))));
    }
  }

  @Override
  public void forward() {
    forward.forEach(Runnable::run);
  }

  @Override
  public void backward() {
    backward.forEach(Runnable::run);
  }

  @Override
  public String implementation() {
    return "cublas";
  }

  @Override
  public void close() {
    owned.close();
  }
}
