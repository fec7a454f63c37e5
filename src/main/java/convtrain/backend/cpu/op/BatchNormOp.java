package convtrain.backend.cpu.op;

import convtrain.backend.Binding;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.LayerContext;
import convtrain.backend.LayerOp;
import convtrain.backend.Owned;
import convtrain.backend.cpu.dnnl.CpuBuffer;
import convtrain.backend.cpu.dnnl.Dnnl;
import convtrain.backend.cpu.dnnl.TensorView;
import convtrain.graph.DropoutDraw;
import convtrain.graph.LayerSpec;
import convtrain.graph.Node;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import java.nio.FloatBuffer;
import java.util.List;

/**
 * Batch norm over N, H, W per channel, with a ReLU and a dropout behind it where the graph has
 * them: x, y [N, C, H, W], weight, bias, running_mean, running_var [C].
 *
 * <p>The ReLU is oneDNN's own fusion. Dropout's factor s = 1 / (1 - p) goes into weight and bias,
 * since s relu(v) = relu(s v) and v is linear in both; so the only pass that dropout adds is
 * zeroing what falls. Going back, oneDNN's weight and bias gradients are those of the scaled
 * values: times s.
 *
 * <p>Saved memory: mean, variance, scaled weight, scaled bias (each C values as often as the
 * primitives repeat them, in steps of 64 bytes), then oneDNN's workspace.
 */
final class BatchNormOp implements LayerOp {
  private final Owned owned = new Owned();
  private final Precision precision;
  private final boolean training;
  private final boolean affine;
  private final float momentum;
  private final float unbiased;
  private final int channels;
  private final float scale;
  private final DropoutMasks.Mask mask;
  private final NormKernels kernels;

  private FloatBuffer weight;
  private FloatBuffer bias;
  private FloatBuffer weightGradient;
  private FloatBuffer biasGradient;
  private FloatBuffer scaledWeight;
  private FloatBuffer scaledBias;
  private FloatBuffer mean;
  private FloatBuffer variance;
  private FloatBuffer runningMean;
  private FloatBuffer runningVar;
  private TensorView y;
  private TensorView dy;
  private ReluBits reluBits;
  private boolean backwardDrops;

  BatchNormOp(
      Dnnl dnnl,
      int batch,
      boolean training,
      LayerSpec.BatchNorm2d spec,
      LayerContext context,
      DropoutMasks masks) {
    this.training = training;
    precision = dnnl.precision();
    Shape shape = context.node().out();
    long count = (long) batch * shape.height() * shape.width();
    affine = spec.affine();
    momentum = spec.momentum().floatValue();
    unbiased = (float) count / Math.max(1, count - 1);
    channels = shape.channels();
    LayerSpec.Dropout dropout = training ? dropoutOf(context.fused()) : null;
    scale = dropout == null ? 1 : DropoutDraw.scale(dropout.p());
    mask =
        dropout == null
            ? null
            : masks.add(
                context.random(),
                context.fused().get(context.fused().size() - 1).index(),
                dropout.p(),
                dnnl.elements(batch, shape));
    boolean relu = context.fused().stream().anyMatch(n -> n.spec() instanceof LayerSpec.Relu);
    float eps = spec.eps().floatValue();
    try {
      kernels =
          owned.add(
              training && affine && FoldedNorm.suits(dnnl, shape)
                  ? new FoldedNorm(dnnl, batch, shape, relu, eps)
                  : new CopyingNorm(dnnl, batch, shape, training, affine, relu, eps));
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, owned);
      throw e;
    }
  }

  /** Whether {@code next} can join a batch norm that already took {@code fused}. */
  static boolean fuses(LayerSpec.BatchNorm2d spec, List<Node> fused, LayerSpec next) {
    boolean last = dropoutOf(fused) != null;
    return !last
        && (next instanceof LayerSpec.Relu && fused.isEmpty()
            || next instanceof LayerSpec.Dropout && spec.affine());
  }

  private static LayerSpec.Dropout dropoutOf(List<Node> fused) {
    return fused.stream()
        .map(Node::spec)
        .filter(LayerSpec.Dropout.class::isInstance)
        .map(LayerSpec.Dropout.class::cast)
        .findFirst()
        .orElse(null);
  }

  @Override
  public Needs needs() {
    long vectors = training ? 4 * vectorBytes() : 0;
    return new Needs(vectors + kernels.workspaceBytes(), kernels.scratchBytes());
  }

  private long vectorBytes() {
    return CpuBuffer.aligned((long) channels * kernels.repeats() * Float.BYTES);
  }

  @Override
  public boolean backwardInPlace() {
    return true;
  }

  @Override
  public void bind(Binding b) {
    runningMean = CpuBuffer.floats(b.parameters().get("running_mean"));
    runningVar = CpuBuffer.floats(b.parameters().get("running_var"));
    DeviceBuffer usedWeight = b.parameters().get("weight");
    DeviceBuffer usedBias = b.parameters().get("bias");
    if (!training) {
      kernels.bind(
          b,
          new NormKernels.Vectors(
              b.parameters().get("running_mean"),
              b.parameters().get("running_var"),
              usedWeight,
              usedBias,
              null,
              null,
              workspace(b, 0)));
      return;
    }
    DeviceBuffer savedMean = savedVector(b, 0);
    DeviceBuffer savedVariance = savedVector(b, 1);
    mean = CpuBuffer.floats(savedMean);
    variance = CpuBuffer.floats(savedVariance);
    if (copiesAffine()) {
      weight = CpuBuffer.floats(usedWeight);
      bias = CpuBuffer.floats(usedBias);
      usedWeight = savedVector(b, 2);
      usedBias = savedVector(b, 3);
      scaledWeight = CpuBuffer.floats(usedWeight);
      scaledBias = CpuBuffer.floats(usedBias);
    }
    DeviceBuffer workspace = workspace(b, 4 * vectorBytes());
    kernels.bind(
        b,
        new NormKernels.Vectors(
            savedMean,
            savedVariance,
            usedWeight,
            usedBias,
            b.gradients().get("weight"),
            b.gradients().get("bias"),
            workspace));
    if (mask != null) {
      weightGradient = CpuBuffer.floats(b.gradients().get("weight"));
      biasGradient = CpuBuffer.floats(b.gradients().get("bias"));
      y = TensorView.of(precision, b.y());
      dy = b.dy() == null ? null : TensorView.of(precision, b.dy());
      reluBits =
          workspace != null && kernels.keepsOrder() ? ReluBits.in((CpuBuffer) workspace, y) : null;
    }
  }

  /** Whether the kernels read weight and bias times dropout's factor, or repeated. */
  private boolean copiesAffine() {
    return mask != null || affine && kernels.repeats() > 1;
  }

  private DeviceBuffer savedVector(Binding b, int index) {
    return b.saved().slice(index * vectorBytes(), vectorBytes());
  }

  private DeviceBuffer workspace(Binding b, long start) {
    long bytes = kernels.workspaceBytes();
    return bytes == 0 ? null : b.saved().slice(start, bytes);
  }

  @Override
  public void forward() {
    if (copiesAffine()) {
      scale(weight, scaledWeight, channels * kernels.repeats());
      scale(bias, scaledBias, channels * kernels.repeats());
    }
    kernels.forward();
    if (training) {
      updateRunning();
    }
    if (mask != null) {
      backwardDrops = reluBits != null && reluBits.agree();
      mask.drop(y, backwardDrops ? reluBits : null);
    }
  }

  @Override
  public void backward() {
    if (mask != null && !backwardDrops) {
      mask.zero(dy);
    }
    kernels.backward();
    if (mask != null) {
      scale(weightGradient, weightGradient, channels);
      scale(biasGradient, biasGradient, channels);
    }
  }

  /** running = (1 - momentum) running + momentum batch; the variance is unbiased (PyTorch). */
  private void updateRunning() {
    for (int c = 0; c < channels; c++) {
      runningMean.put(c, (1 - momentum) * runningMean.get(c) + momentum * mean.get(c));
      runningVar.put(c, (1 - momentum) * runningVar.get(c) + momentum * unbiased * variance.get(c));
    }
  }

  /** Values times dropout's factor, over and over until so many are set. */
  private void scale(FloatBuffer values, FloatBuffer to, int count) {
    for (int i = 0; i < count; i++) {
      to.put(i, scale * values.get(i % channels));
    }
  }

  @Override
  public String implementation() {
    return kernels.implementation();
  }

  @Override
  public void close() {
    owned.close();
  }
}
