package convtrain.peers;

import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.nn.Activation;
import ai.djl.nn.Block;
import ai.djl.nn.Blocks;
import ai.djl.nn.Parameter;
import ai.djl.nn.SequentialBlock;
import ai.djl.nn.convolutional.Conv2d;
import ai.djl.nn.core.Linear;
import ai.djl.nn.norm.BatchNorm;
import ai.djl.nn.norm.Dropout;
import ai.djl.nn.pooling.Pool;
import convtrain.graph.LayerSpec;
import convtrain.graph.Node;
import convtrain.graph.Pair;
import convtrain.graph.Window2d;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** A run's network in DJL's blocks, starting from the weights that our engine draws. */
final class DjlNetwork extends PeerLayers<Block> {
  private final SequentialBlock blocks = new SequentialBlock();

  private DjlNetwork() {}

  /** The blocks with their initial weights, for batches [N, C, H, W]. */
  static Block of(PeerRun run, NDManager manager) {
    DjlNetwork network = new DjlNetwork();
    List<Block> layers = new ArrayList<>();
    for (Node node : run.graph().nodes()) {
      Block layer = node.spec().accept(network, checkedChain(run, node));
      layers.add(layer);
      network.blocks.add(layer);
    }
    network.blocks.add(Blocks.batchFlattenBlock());
    Shape input =
        new Shape(
            run.batchSize(),
            run.graph().input().channels(),
            run.graph().input().height(),
            run.graph().input().width());
    network.blocks.initialize(manager, DataType.FLOAT32, input);
    Map<String, float[]> initial = run.initialWeights();
    for (int i = 0; i < layers.size(); i++) {
      fill(layers.get(i), run.graph().nodes().get(i), initial);
    }
    return network.blocks;
  }

  /** Both list a layer's tensors alike: weight, bias, running mean, running variance. */
  private static void fill(Block layer, Node node, Map<String, float[]> initial) {
    List<Parameter> parameters = layer.getParameters().values();
    if (parameters.size() != node.parameters().size()) {
      throw new IllegalStateException(
          "%s: DJL has %s, expected %s".formatted(node.label(), parameters, node.parameters()));
    }
    for (int i = 0; i < parameters.size(); i++) {
      String name = node.tensorName(node.parameters().get(i));
      parameters.get(i).getArray().set(initial.get(name));
    }
  }

  private static Shape shape(Pair pair) {
    return new Shape(pair.h(), pair.w());
  }

  @Override
  public Block conv2d(LayerSpec.Conv2d spec, Node node) {
    Window2d window = checked(spec.window(node.in().get(0)), node);
    return Conv2d.builder()
        .setFilters(spec.outChannels())
        .setKernelShape(shape(spec.kernelSize()))
        .optStride(shape(spec.stride()))
        .optPadding(new Shape(window.padTop(), window.padLeft()))
        .optDilation(shape(spec.dilation()))
        .optGroups(spec.groups())
        .optBias(spec.bias())
        .build();
  }

  @Override
  public Block linear(LayerSpec.Linear spec, Node node) {
    return Linear.builder().setUnits(spec.outFeatures()).optBias(spec.bias()).build();
  }

  @Override
  public Block batchNorm2d(LayerSpec.BatchNorm2d spec, Node node) {
    return BatchNorm.builder()
        .optEpsilon(spec.eps().floatValue())
        .optMomentum(1 - spec.momentum().floatValue())
        .build();
  }

  @Override
  public Block maxPool2d(LayerSpec.MaxPool2d spec, Node node) {
    Window2d window = checked(spec.window(node.in().get(0)), node);
    return Pool.maxPool2dBlock(
        shape(spec.kernelSize()),
        shape(spec.stride()),
        new Shape(window.padTop(), window.padLeft()),
        spec.ceilMode());
  }

  @Override
  public Block globalAvgPool(LayerSpec.GlobalAvgPool spec, Node node) {
    Pair whole = new Pair(node.in().get(0).height(), node.in().get(0).width());
    return Pool.avgPool2dBlock(shape(whole));
  }

  @Override
  public Block activation(LayerSpec.Activation spec, Node node) {
    checkRelu(spec, node);
    return Activation.reluBlock();
  }

  @Override
  public Block dropout(LayerSpec.Dropout spec, Node node) {
    return Dropout.builder().optRate(spec.p().floatValue()).build();
  }

  @Override
  public Block flatten(LayerSpec.Flatten spec, Node node) {
    return Blocks.batchFlattenBlock();
  }
}
