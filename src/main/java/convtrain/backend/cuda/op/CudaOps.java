package convtrain.backend.cuda.op;

import convtrain.backend.Augmentation;
import convtrain.backend.Binding;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.Feed;
import convtrain.backend.LayerContext;
import convtrain.backend.LayerOp;
import convtrain.backend.LossBuffers;
import convtrain.backend.MixBuffers;
import convtrain.backend.Normalization;
import convtrain.backend.Op;
import convtrain.backend.OpFactory;
import convtrain.backend.Owned;
import convtrain.backend.ParameterLayout;
import convtrain.backend.RandomState;
import convtrain.backend.UpdateBuffers;
import convtrain.backend.UpdateRule;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.CudaFeed;
import convtrain.graph.EmaSpec;
import convtrain.graph.LayerSpec;
import convtrain.graph.LossSpec;
import convtrain.graph.MixSpec;
import convtrain.graph.Node;
import convtrain.graph.Padding;
import convtrain.graph.Pair;
import convtrain.graph.ParameterSpec;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import convtrain.graph.Window2d;
import java.util.Collections;
import java.util.List;
import java.util.Map;

/** The ops of one plan on a CUDA device: which class computes which layer. */
public final class CudaOps implements OpFactory {
  private final CudaContext cuda;
  private final int batch;
  private final boolean training;
  private final Precision precision;
  private final DropoutMasks masks;

  public CudaOps(CudaContext cuda, int batch, boolean training, Precision precision) {
    this.cuda = cuda;
    this.batch = batch;
    this.training = training;
    this.precision = precision;
    this.masks = new DropoutMasks(cuda);
  }

  @Override
  public Precision precision() {
    return precision;
  }

  @Override
  public ParameterLayout parameterLayout(Node node, ParameterSpec parameter) {
    return CudaLayouts.of(node, parameter);
  }

  @Override
  public boolean fuses(Node node, List<Node> fused, Node next) {
    return node.spec() instanceof LayerSpec.BatchNorm2d && BatchNormOp.fuses(fused, next.spec());
  }

  @Override
  public LayerOp conv2d(LayerSpec.Conv2d spec, LayerContext context) {
    return new ConvOp(cuda, batch, training, precision, spec, context);
  }

  @Override
  public LayerOp linear(LayerSpec.Linear spec, LayerContext context) {
    return new LinearOp(cuda, batch, training, precision, spec, context);
  }

  @Override
  public LayerOp batchNorm2d(LayerSpec.BatchNorm2d spec, LayerContext context) {
    LayerOp ours = new BatchNormOp(cuda, batch, training, precision, spec, context, masks);
    if (!context.fused().isEmpty() || !CudnnBatchNorm.applies(precision)) {
      return ours;
    }
    try {
      LayerOp cudnn = new CudnnBatchNorm(cuda, batch, training, precision, spec, context);
      String key =
          "%s %s %s n%d %s"
              .formatted(
                  spec.type(),
                  training ? "training" : "evaluation",
                  precision.word(),
                  batch,
                  context.node().out());
      List<String> running = List.of("running_mean", "running_var");
      return new FasterOp(cuda, key, running, List.of(ours, cudnn));
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, ours);
      throw e;
    }
  }

  @Override
  public LayerOp maxPool2d(LayerSpec.MaxPool2d spec, LayerContext context) {
    return pool(PoolOp.Kind.MAX, spec.window(context.node().in().get(0)), context);
  }

  @Override
  public LayerOp avgPool2d(LayerSpec.AvgPool2d spec, LayerContext context) {
    PoolOp.Kind kind =
        spec.countIncludePad() ? PoolOp.Kind.MEAN_WITH_PADDING : PoolOp.Kind.MEAN_OF_PIXELS;
    return pool(kind, spec.window(context.node().in().get(0)), context);
  }

  @Override
  public LayerOp globalAvgPool(LayerSpec.GlobalAvgPool spec, LayerContext context) {
    Shape in = context.node().in().get(0);
    Pair whole = new Pair(in.height(), in.width());
    Window2d window = Window2d.over(in, whole, whole, Pair.of(1), Padding.NONE, false);
    return pool(PoolOp.Kind.MEAN_OF_PIXELS, window, context);
  }

  private LayerOp pool(PoolOp.Kind kind, Window2d window, LayerContext context) {
    Shape in = context.node().in().get(0);
    boolean cudnnApplies =
        CudnnPool.agrees(kind, training, cuda.deterministic())
            && CudnnPoolWindow.fits(kind, window, in);
    LayerOp ours = new PoolOp(cuda, batch, training, precision, kind, window, context);
    if (!cudnnApplies) {
      return ours;
    }
    try {
      LayerOp cudnn = new CudnnPool(cuda, batch, training, precision, kind, window, context);
      String key =
          "pool %s %s %s n%d %s kernel %s stride %s padding %dx%d"
              .formatted(
                  kind,
                  training ? "training" : "evaluation",
                  precision.word(),
                  batch,
                  in,
                  window.kernel(),
                  window.stride(),
                  window.padTop(),
                  window.padLeft());
      return new FasterOp(cuda, key, List.of(), List.of(ours, cudnn));
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, ours);
      throw e;
    }
  }

  @Override
  public LayerOp activation(LayerSpec.Activation spec, LayerContext context) {
    return new ActivationOp(cuda, batch, precision, spec, context);
  }

  @Override
  public LayerOp softmax(LayerSpec.AnySoftmax spec, LayerContext context) {
    return new SoftmaxOp(cuda, batch, training, precision, spec, context);
  }

  @Override
  public LayerOp dropout(LayerSpec.Dropout spec, LayerContext context) {
    return new DropoutOp(cuda, batch, training, precision, spec, context, masks);
  }

  @Override
  public LayerOp flatten(LayerSpec.Flatten spec, LayerContext context) {
    return new FlattenOp(cuda, batch, precision, context.node());
  }

  @Override
  public LayerOp add(LayerSpec.Add spec, LayerContext context) {
    return new SumOp(cuda, precision, (long) batch * context.node().out().elements());
  }

  @Override
  public LayerOp concat(LayerSpec.Concat spec, LayerContext context) {
    return new ConcatOp(cuda, batch, precision, context.node());
  }

  @Override
  public Op stage(
      Feed feed,
      Normalization normalization,
      Augmentation augmentation,
      DeviceBuffer x,
      DeviceBuffer labels) {
    CudaFeed source = (CudaFeed) feed;
    if (augmentation == null) {
      return new StageOp(cuda, batch, precision, source, normalization, x, labels, masks);
    }
    return new AugmentedStageOp(
        cuda, batch, precision, source, normalization, augmentation, x, labels, masks);
  }

  @Override
  public Op mix(MixSpec mix, Shape image, int classes, RandomState random, MixBuffers buffers) {
    return new MixOp(cuda, batch, precision, mix, image, classes, random, buffers);
  }

  @Override
  public Op loss(LossSpec loss, int classes, LossBuffers buffers) {
    return new LossOp(
        cuda, batch, precision, loss, classes, buffers, LossScale.of(precision, buffers.clock()));
  }

  @Override
  public Op sum(List<DeviceBuffer> parts, DeviceBuffer total) {
    SumOp op = new SumOp(cuda, precision, total.bytes() / precision.elementBytes());
    List<DeviceBuffer> none = Collections.nCopies(parts.size(), null);
    try {
      op.bind(new Binding(parts, total, none, null, Map.of(), Map.of(), null, null));
      return op;
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, op);
      throw e;
    }
  }

  @Override
  public Op accumulate(DeviceBuffer gradients, DeviceBuffer sum, DeviceBuffer clock) {
    return new AccumulateOp(cuda, gradients, sum, clock);
  }

  @Override
  public Op update(UpdateRule rule, UpdateBuffers buffers) {
    return new UpdateOp(cuda, rule, buffers, LossScale.of(precision, buffers.clock()));
  }

  @Override
  public Op average(EmaSpec ema, DeviceBuffer values, DeviceBuffer averages, DeviceBuffer clock) {
    return new EmaOp(cuda, ema, values, averages, clock);
  }
}
