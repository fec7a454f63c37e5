package convtrain.backend.cpu.op;

import static org.bytedeco.dnnl.global.dnnl.*;

import convtrain.backend.Binding;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.Op;
import convtrain.backend.OpFactory.Context;
import convtrain.backend.Owned;
import convtrain.backend.cpu.dnnl.CpuBuffer;
import convtrain.backend.cpu.dnnl.Dnnl;
import convtrain.backend.cpu.dnnl.Kernel;
import convtrain.backend.cpu.dnnl.TensorView;
import convtrain.graph.LayerSpec;
import convtrain.graph.Node;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import java.nio.FloatBuffer;
import java.util.List;
import java.util.function.Function;
import org.bytedeco.dnnl.batch_normalization_backward;
import org.bytedeco.dnnl.batch_normalization_forward;
import org.bytedeco.dnnl.memory;

/**
 * Batch norm over N, H, W per channel, with a ReLU and a dropout behind it where the graph has
 * them: x, y [N, C, H, W], weight, bias, running_mean, running_var [C].
 *
 * <p>The ReLU is oneDNN's own fusion. Dropout's factor s = 1 / (1 - p) goes into weight and bias,
 * since s relu(v) = relu(s v) and v is linear in both; so the only pass that dropout adds is
 * zeroing what falls. Going back, oneDNN's weight and bias gradients are those of the scaled
 * values: times s.
 *
 * <p>Saved memory: mean [C], variance [C], scaled weight [C], scaled bias [C] (each 64-byte
 * aligned), then oneDNN's workspace.
 */
final class BatchNormOp implements Op {
  private final Owned owned = new Owned();
  private final Precision precision;
  private final boolean training;
  private final boolean affine;
  private final float momentum;
  private final float unbiased;
  private final int channels;
  private final float scale;
  private final DropoutMasks.Mask mask;
  private final CopyingKernel forward;
  private final CopyingKernel backward;
  private final memory.desc x;
  private final memory.desc inside;
  private final memory.desc perChannel;
  private final memory.desc workspace;

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
      Context context,
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
    scale = dropout == null ? 1 : DropoutMasks.scale(dropout.p());
    mask =
        dropout == null
            ? null
            : masks.add(
                context.random(),
                context.fused().get(context.fused().size() - 1).index(),
                dropout.p(),
                Math.multiplyExact(batch, shape.elements()));
    x = owned.add(dnnl.activation(batch, shape));
    perChannel = owned.add(Dnnl.vector(channels));

    boolean relu = context.fused().stream().anyMatch(n -> n.spec() instanceof LayerSpec.Relu);
    int flags =
        (affine ? dnnl_use_scale | dnnl_use_shift : 0)
            | (relu ? dnnl_fuse_norm_relu : 0)
            | (training ? 0 : dnnl_use_global_stats);
    int kind = training ? dnnl_forward_training : dnnl_forward_inference;
    float eps = spec.eps().floatValue();
    Function<memory.desc, batch_normalization_forward.primitive_desc> descriptor =
        layout ->
            new batch_normalization_forward.primitive_desc(
                dnnl.engine(), kind, layout, layout, eps, flags, dnnl.attributes(), false);
    inside = owned.add(CopyingKernel.layout(dnnl, batch, shape, descriptor::apply));
    var desc = descriptor.apply(inside);
    workspace = owned.add(desc.workspace_desc());
    Kernel kernel = new Kernel(dnnl, desc, new batch_normalization_forward(desc));
    forward = owned.add(new CopyingKernel(dnnl, kernel, x, inside, 1));
    backward = training ? owned.add(backward(dnnl, eps, flags, desc)) : null;
  }

  private CopyingKernel backward(
      Dnnl dnnl, float eps, int flags, batch_normalization_forward.primitive_desc hint) {
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
    Kernel kernel = new Kernel(dnnl, desc, new batch_normalization_backward(desc));
    return new CopyingKernel(dnnl, kernel, x, inside, 2);
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
    long scratch = forward.scratchBytes();
    return training
        ? new Needs(
            4 * vectorBytes() + workspace.get_size(), Math.max(scratch, backward.scratchBytes()))
        : new Needs(workspace.get_size(), scratch);
  }

  private long vectorBytes() {
    return CpuBuffer.aligned((long) channels * Float.BYTES);
  }

  @Override
  public boolean backwardInPlace() {
    return true;
  }

  @Override
  public void bind(Binding b) {
    runningMean = CpuBuffer.floats(b.parameters().get("running_mean"));
    runningVar = CpuBuffer.floats(b.parameters().get("running_var"));
    Kernel kernel = forward.bind(b.scratch());
    forward.reads(DNNL_ARG_SRC, b.x().get(0)).writes(DNNL_ARG_DST, b.y());
    if (training) {
      bindTraining(b, kernel);
    } else {
      kernel
          .with(DNNL_ARG_MEAN, perChannel, b.parameters().get("running_mean"))
          .with(DNNL_ARG_VARIANCE, perChannel, b.parameters().get("running_var"));
      bindAffine(kernel, b.parameters().get("weight"), b.parameters().get("bias"));
      bindWorkspace(kernel, b.saved(), 0);
    }
    forward.ready();
  }

  private void bindTraining(Binding b, Kernel kernel) {
    DeviceBuffer savedMean = savedVector(b, 0);
    DeviceBuffer savedVariance = savedVector(b, 1);
    mean = CpuBuffer.floats(savedMean);
    variance = CpuBuffer.floats(savedVariance);
    y = TensorView.of(precision, b.y());
    DeviceBuffer usedWeight = b.parameters().get("weight");
    DeviceBuffer usedBias = b.parameters().get("bias");
    if (mask != null) {
      weight = CpuBuffer.floats(usedWeight);
      bias = CpuBuffer.floats(usedBias);
      usedWeight = savedVector(b, 2);
      usedBias = savedVector(b, 3);
      scaledWeight = CpuBuffer.floats(usedWeight);
      scaledBias = CpuBuffer.floats(usedBias);
      weightGradient = CpuBuffer.floats(b.gradients().get("weight"));
      biasGradient = CpuBuffer.floats(b.gradients().get("bias"));
    }
    kernel
        .with(DNNL_ARG_MEAN, perChannel, savedMean)
        .with(DNNL_ARG_VARIANCE, perChannel, savedVariance);
    bindAffine(kernel, usedWeight, usedBias);
    bindWorkspace(kernel, b.saved(), 4 * vectorBytes());
    if (mask != null && forward.keepsOrder()) {
      DeviceBuffer bits = b.saved().slice(4 * vectorBytes(), workspace.get_size());
      reluBits = ReluBits.in((CpuBuffer) bits, y);
    }
    if (b.dy() != null) {
      bindBackward(b, savedMean, savedVariance, usedWeight);
    }
  }

  private void bindBackward(
      Binding b, DeviceBuffer savedMean, DeviceBuffer savedVariance, DeviceBuffer usedWeight) {
    dy = TensorView.of(precision, b.dy());
    DeviceBuffer dx = b.dx().get(0) == null ? b.dy() : b.dx().get(0);
    Kernel kernel =
        backward
            .bind(b.scratch())
            .with(DNNL_ARG_MEAN, perChannel, savedMean)
            .with(DNNL_ARG_VARIANCE, perChannel, savedVariance);
    backward
        .reads(DNNL_ARG_SRC, b.x().get(0))
        .reads(DNNL_ARG_DIFF_DST, b.dy())
        .writes(DNNL_ARG_DIFF_SRC, dx);
    if (affine) {
      kernel
          .with(DNNL_ARG_SCALE, perChannel, usedWeight)
          .with(DNNL_ARG_DIFF_SCALE, perChannel, b.gradients().get("weight"))
          .with(DNNL_ARG_DIFF_SHIFT, perChannel, b.gradients().get("bias"));
    }
    bindWorkspace(kernel, b.saved(), 4 * vectorBytes());
    backward.ready();
  }

  private DeviceBuffer savedVector(Binding b, int index) {
    return b.saved().slice(index * vectorBytes(), vectorBytes());
  }

  private void bindAffine(Kernel kernel, DeviceBuffer usedWeight, DeviceBuffer usedBias) {
    if (affine) {
      kernel
          .with(DNNL_ARG_SCALE, perChannel, usedWeight)
          .with(DNNL_ARG_SHIFT, perChannel, usedBias);
    }
  }

  private void bindWorkspace(Kernel kernel, DeviceBuffer saved, long offset) {
    if (workspace.get_size() > 0) {
      kernel.with(DNNL_ARG_WORKSPACE, workspace, saved.slice(offset, workspace.get_size()));
    }
  }

  @Override
  public void forward() {
    if (mask != null) {
      multiply(weight, scale, scaledWeight);
      multiply(bias, scale, scaledBias);
    }
    forward.execute();
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
    backward.execute();
    if (mask != null) {
      multiply(weightGradient, scale, weightGradient);
      multiply(biasGradient, scale, biasGradient);
    }
  }

  /** running = (1 - momentum) running + momentum batch; the variance is unbiased (PyTorch). */
  private void updateRunning() {
    for (int c = 0; c < channels; c++) {
      runningMean.put(c, (1 - momentum) * runningMean.get(c) + momentum * mean.get(c));
      runningVar.put(c, (1 - momentum) * runningVar.get(c) + momentum * unbiased * variance.get(c));
    }
  }

  private void multiply(FloatBuffer from, float factor, FloatBuffer to) {
    for (int c = 0; c < channels; c++) {
      to.put(c, factor * from.get(c));
    }
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
