package convtrain.peers;

import static org.bytedeco.pytorch.global.torch.adaptive_avg_pool2d;
import static org.bytedeco.pytorch.global.torch.batch_norm;
import static org.bytedeco.pytorch.global.torch.from_blob;
import static org.bytedeco.pytorch.global.torch.max_pool2d;
import static org.bytedeco.pytorch.global.torch.relu;
import static org.bytedeco.pytorch.global.torch.relu_;

import convtrain.graph.LayerSpec;
import convtrain.graph.ModelGraph;
import convtrain.graph.Node;
import convtrain.graph.Pair;
import convtrain.graph.ParameterSpec;
import convtrain.graph.Shape;
import convtrain.graph.Window2d;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.bytedeco.javacpp.FloatPointer;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorVector;
import org.bytedeco.pytorch.global.torch.MemoryFormat;

/** A {@link ModelGraph} in PyTorch's own operations, starting from the weights our engine draws. */
final class PyTorchNetwork {
  private final PyTorchVariant variant;
  private final PeerRun run;
  private final ModelGraph graph;
  private final List<Layer> layers = new ArrayList<>();
  private final TensorVector trainable = new TensorVector();
  private final Map<String, float[]> initial;

  /** One layer's forward pass; autograd finds the way back. */
  private interface Layer {
    Tensor forward(Tensor x, boolean training);
  }

  /** Creates the parameters. */
  PyTorchNetwork(PeerRun run, PyTorchVariant variant) {
    this.run = run;
    this.graph = run.graph();
    this.variant = variant;
    initial = run.initialWeights();
    Builder builder = new Builder();
    for (Node node : graph.nodes()) {
      layers.add(node.spec().accept(builder, node));
    }
  }

  /** Logits [N, classes] of a batch x [N, C, H, W]. */
  Tensor forward(Tensor x, boolean training) {
    Tensor[] outputs = new Tensor[layers.size()];
    for (int i = 0; i < outputs.length; i++) {
      int from = graph.nodes().get(i).inputs().get(0);
      outputs[i] = layers.get(i).forward(from == Node.INPUT ? x : outputs[from], training);
    }
    return outputs[outputs.length - 1].flatten(1, -1);
  }

  /** What the optimizer updates. */
  TensorVector trainable() {
    return trainable;
  }

  /** The tensors of a node by name. */
  private Map<String, Tensor> parameters(Node node) {
    Map<String, Tensor> byName = new HashMap<>();
    for (ParameterSpec spec : node.parameters()) {
      float[] values = initial.get(node.tensorName(spec));
      long[] dims = spec.dims().stream().mapToLong(Integer::longValue).toArray();
      Tensor tensor;
      try (FloatPointer pointer = new FloatPointer(values)) {
        tensor = from_blob(pointer, dims).clone();
      }
      if (dims.length == 4 && variant.channelsLast()) {
        tensor = tensor.contiguous(MemoryFormat.ChannelsLast);
      }
      if (spec.trainable()) {
        tensor = tensor.set_requires_grad(true);
        trainable.push_back(tensor);
      }
      byName.put(spec.name(), tensor);
    }
    return byName;
  }

  private static TensorOptional optional(Tensor tensor) {
    return tensor == null ? new TensorOptional() : new TensorOptional(tensor);
  }

  private static long[] longs(Pair pair) {
    return new long[] {pair.h(), pair.w()};
  }

  /** Turns each layer of the graph into PyTorch's call. */
  private final class Builder extends PeerLayers<Layer> {
    @Override
    public Layer conv2d(LayerSpec.Conv2d spec, Node node) {
      Window2d window = checked(spec.window(node.in().get(0)), node);
      Map<String, Tensor> own = parameters(node);
      Tensor weight = own.get("weight");
      TensorOptional bias = optional(own.get("bias"));
      long[] stride = longs(spec.stride());
      long[] padding = {window.padTop(), window.padLeft()};
      long[] dilation = longs(spec.dilation());
      int groups = spec.groups();
      return (x, training) ->
          org.bytedeco.pytorch.global.torch.conv2d(
              x, weight, bias, stride, padding, dilation, groups);
    }

    @Override
    public Layer linear(LayerSpec.Linear spec, Node node) {
      Map<String, Tensor> own = parameters(node);
      Tensor weight = own.get("weight");
      TensorOptional bias = optional(own.get("bias"));
      return (x, training) ->
          org.bytedeco.pytorch.global.torch.linear(x.flatten(1, -1), weight, bias);
    }

    @Override
    public Layer batchNorm2d(LayerSpec.BatchNorm2d spec, Node node) {
      Map<String, Tensor> own = parameters(node);
      TensorOptional weight = optional(own.get("weight"));
      TensorOptional bias = optional(own.get("bias"));
      TensorOptional mean = optional(own.get("running_mean"));
      TensorOptional variance = optional(own.get("running_var"));
      return (x, training) ->
          batch_norm(x, weight, bias, mean, variance, training, spec.momentum(), spec.eps(), false);
    }

    @Override
    public Layer maxPool2d(LayerSpec.MaxPool2d spec, Node node) {
      Window2d window = spec.window(node.in().get(0));
      long[] kernel = longs(spec.kernelSize());
      long[] stride = longs(spec.stride());
      long[] padding = {window.padTop(), window.padLeft()};
      long[] dilation = {1, 1};
      boolean ceil = spec.ceilMode();
      return (x, training) -> max_pool2d(x, kernel, stride, padding, dilation, ceil);
    }

    @Override
    public Layer globalAvgPool(LayerSpec.GlobalAvgPool spec, Node node) {
      return (x, training) -> adaptive_avg_pool2d(x, 1, 1);
    }

    @Override
    public Layer activation(LayerSpec.Activation spec, Node node) {
      checkRelu(spec, node);
      // ReLU's gradient needs its output only; what batch norm saves is its own input.
      return variant.reluInPlace() ? (x, training) -> relu_(x) : (x, training) -> relu(x);
    }

    @Override
    public Layer dropout(LayerSpec.Dropout spec, Node node) {
      Shape in = node.in().get(0);
      long[] dims = {run.batchSize(), in.channels(), in.height(), in.width()};
      PyTorchDropout dropout = PyTorchDropout.of(variant, spec.p(), dims);
      return (x, training) -> training ? dropout.apply(x) : x;
    }

    @Override
    public Layer flatten(LayerSpec.Flatten spec, Node node) {
      return (x, training) -> x.flatten(1, -1);
    }
  }
}
