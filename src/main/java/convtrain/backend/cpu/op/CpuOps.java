package convtrain.backend.cpu.op;

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
import convtrain.backend.ParameterLayout;
import convtrain.backend.PlainLayout;
import convtrain.backend.RandomState;
import convtrain.backend.UpdateBuffers;
import convtrain.backend.UpdateRule;
import convtrain.backend.cpu.dnnl.Dnnl;
import convtrain.backend.cpu.dnnl.Workers;
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

/** The ops of one plan on the CPU: which class computes which layer. */
public final class CpuOps implements OpFactory {
  private final Dnnl dnnl;
  private final Workers workers;
  private final int batch;
  private final boolean training;
  private final DropoutMasks masks;

  public CpuOps(Dnnl dnnl, Workers workers, int batch, boolean training) {
    this.dnnl = dnnl;
    this.workers = workers;
    this.batch = batch;
    this.training = training;
    this.masks = new DropoutMasks(workers);
  }

  @Override
  public Precision precision() {
    return dnnl.precision();
  }

  @Override
  public boolean sharesMemoryBySize() {
    return workers.parts() > 1;
  }

  @Override
  public ParameterLayout parameterLayout(Node node, ParameterSpec parameter) {
    if (parameter.name().equals("weight")) {
      if (node.spec() instanceof LayerSpec.Conv2d conv) {
        return ConvOp.weightLayout(dnnl, batch, conv, node);
      }
      if (node.spec() instanceof LayerSpec.Linear linear) {
        return LinearOp.weightLayout(dnnl, batch, linear, node);
      }
    }
    return new PlainLayout(parameter.elements());
  }

  @Override
  public boolean fuses(Node node, List<Node> fused, Node next) {
    return node.spec() instanceof LayerSpec.BatchNorm2d norm
        && BatchNormOp.fuses(norm, fused, next.spec());
  }

  @Override
  public LayerOp conv2d(LayerSpec.Conv2d spec, LayerContext context) {
    return new ConvOp(dnnl, workers, batch, training, spec, context);
  }

  @Override
  public LayerOp linear(LayerSpec.Linear spec, LayerContext context) {
    return new LinearOp(dnnl, workers, batch, training, spec, context);
  }

  @Override
  public LayerOp batchNorm2d(LayerSpec.BatchNorm2d spec, LayerContext context) {
    return new BatchNormOp(dnnl, batch, training, spec, context, masks);
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
    return new PoolOp(dnnl, batch, training, kind, window, context.node());
  }

  @Override
  public LayerOp activation(LayerSpec.Activation spec, LayerContext context) {
    return new ElementwiseOp(dnnl, batch, training, spec, context);
  }

  @Override
  public LayerOp softmax(LayerSpec.AnySoftmax spec, LayerContext context) {
    return new SoftmaxOp(dnnl, batch, training, spec, context);
  }

  @Override
  public LayerOp dropout(LayerSpec.Dropout spec, LayerContext context) {
    return new DropoutOp(dnnl, batch, training, spec, context, masks);
  }

  @Override
  public LayerOp flatten(LayerSpec.Flatten spec, LayerContext context) {
    return new FlattenOp(dnnl, batch, training, context.node());
  }

  @Override
  public LayerOp add(LayerSpec.Add spec, LayerContext context) {
    long elements = (long) batch * context.node().out().elements();
    return new SumOp(dnnl, context.node().in().size(), elements);
  }

  @Override
  public LayerOp concat(LayerSpec.Concat spec, LayerContext context) {
    return new ConcatOp(dnnl, batch, context.node());
  }

  @Override
  public Op stage(
      Feed feed,
      Normalization normalization,
      Augmentation augmentation,
      DeviceBuffer x,
      DeviceBuffer labels) {
    CpuFeed source = (CpuFeed) feed;
    if (augmentation == null) {
      return new StageOp(workers, precision(), batch, source, normalization, x, labels);
    }
    return new AugmentedStageOp(
        workers, precision(), batch, source, normalization, augmentation, x, labels);
  }

  @Override
  public Op mix(MixSpec mix, Shape image, int classes, RandomState random, MixBuffers buffers) {
    return new MixOp(workers, precision(), batch, mix, image, classes, random, buffers);
  }

  @Override
  public Op loss(LossSpec loss, int classes, LossBuffers buffers) {
    return new LossOp(precision(), batch, loss, classes, buffers);
  }

  @Override
  public Op sum(List<DeviceBuffer> parts, DeviceBuffer total) {
    long elements = total.bytes() / precision().elementBytes();
    SumOp op = new SumOp(dnnl, parts.size(), elements);
    List<DeviceBuffer> none = Collections.nCopies(parts.size(), null);
    op.bind(new Binding(parts, total, none, null, Map.of(), Map.of(), null, null));
    return op;
  }

  @Override
  public Op accumulate(DeviceBuffer gradients, DeviceBuffer sum, DeviceBuffer clock) {
    return new AccumulateOp(workers, gradients, sum, clock);
  }

  @Override
  public Op update(UpdateRule rule, UpdateBuffers buffers) {
    return new UpdateOp(workers, rule, buffers);
  }

  @Override
  public Op average(EmaSpec ema, DeviceBuffer values, DeviceBuffer averages, DeviceBuffer clock) {
    return new EmaOp(workers, ema, values, averages, clock);
  }
}
