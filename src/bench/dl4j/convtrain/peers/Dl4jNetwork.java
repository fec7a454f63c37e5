package convtrain.peers;

import convtrain.graph.LayerSpec;
import convtrain.graph.Node;
import convtrain.graph.Pair;
import convtrain.graph.ParameterSpec;
import convtrain.graph.Shape;
import convtrain.graph.Window2d;
import java.util.List;
import java.util.Map;
import org.deeplearning4j.nn.conf.ConvolutionMode;
import org.deeplearning4j.nn.conf.NeuralNetConfiguration;
import org.deeplearning4j.nn.conf.inputs.InputType;
import org.deeplearning4j.nn.conf.layers.ActivationLayer;
import org.deeplearning4j.nn.conf.layers.BatchNormalization;
import org.deeplearning4j.nn.conf.layers.ConvolutionLayer;
import org.deeplearning4j.nn.conf.layers.DenseLayer;
import org.deeplearning4j.nn.conf.layers.DropoutLayer;
import org.deeplearning4j.nn.conf.layers.Layer;
import org.deeplearning4j.nn.conf.layers.LossLayer;
import org.deeplearning4j.nn.conf.layers.SubsamplingLayer;
import org.deeplearning4j.nn.multilayer.MultiLayerNetwork;
import org.nd4j.linalg.activations.Activation;
import org.nd4j.linalg.api.ndarray.INDArray;
import org.nd4j.linalg.factory.Nd4j;
import org.nd4j.linalg.learning.config.Nesterovs;
import org.nd4j.linalg.lossfunctions.LossFunctions.LossFunction;

/** A run's network in DL4J's layers, starting from the weights that our engine draws. */
final class Dl4jNetwork extends PeerLayers<Layer> {
  private Dl4jNetwork() {}

  static MultiLayerNetwork of(PeerRun run) {
    Dl4jNetwork layers = new Dl4jNetwork();
    Shape in = run.graph().input();
    var list =
        new NeuralNetConfiguration.Builder()
            .seed(run.config().seed())
            .updater(new Nesterovs(run.sgd().lr(), run.sgd().momentum()))
            .list();
    for (Node node : run.graph().nodes()) {
      list.layer(node.spec().accept(layers, checkedChain(run, node)));
    }
    list.layer(new LossLayer.Builder(LossFunction.MCXENT).activation(Activation.SOFTMAX).build());
    list.setInputType(InputType.convolutional(in.height(), in.width(), in.channels()));
    MultiLayerNetwork network = new MultiLayerNetwork(list.build());
    network.init();
    fill(network, run);
    return network;
  }

  private static void fill(MultiLayerNetwork network, PeerRun run) {
    Map<String, float[]> initial = run.initialWeights();
    List<Node> nodes = run.graph().nodes();
    for (int i = 0; i < nodes.size(); i++) {
      for (ParameterSpec spec : nodes.get(i).parameters()) {
        float[] values = initial.get(nodes.get(i).tensorName(spec));
        String name = i + "_" + nameThere(nodes.get(i).spec(), spec.name());
        long[] dims = network.getParam(name).shape();
        INDArray tensor = Nd4j.createFromArray(values);
        // A dense layer's matrix is [in, out] there.
        network.setParam(
            name,
            nodes.get(i).spec() instanceof LayerSpec.Linear && dims.length == 2 && dims[0] != 1
                ? tensor.reshape(dims[1], dims[0]).transpose().dup('f')
                : tensor.reshape(dims));
      }
    }
  }

  private static String nameThere(LayerSpec layer, String name) {
    boolean norm = layer instanceof LayerSpec.BatchNorm2d;
    return switch (name) {
      case "weight" -> norm ? "gamma" : "W";
      case "bias" -> norm ? "beta" : "b";
      case "running_mean" -> "mean";
      case "running_var" -> "var";
      default -> throw new IllegalStateException(name);
    };
  }

  private static int[] ints(Pair pair) {
    return new int[] {pair.h(), pair.w()};
  }

  @Override
  public Layer conv2d(LayerSpec.Conv2d spec, Node node) {
    Window2d window = checked(spec.window(node.in().get(0)), node);
    if (spec.groups() != 1) {
      throw new IllegalArgumentException(node.label() + ": this engine has no groups; use 1");
    }
    return new ConvolutionLayer.Builder(ints(spec.kernelSize()), ints(spec.stride()))
        .padding(window.padTop(), window.padLeft())
        .dilation(ints(spec.dilation()))
        .convolutionMode(ConvolutionMode.Truncate)
        .nOut(spec.outChannels())
        .hasBias(spec.bias())
        .activation(Activation.IDENTITY)
        .build();
  }

  @Override
  public Layer linear(LayerSpec.Linear spec, Node node) {
    return new DenseLayer.Builder()
        .nOut(spec.outFeatures())
        .hasBias(spec.bias())
        .activation(Activation.IDENTITY)
        .build();
  }

  @Override
  public Layer batchNorm2d(LayerSpec.BatchNorm2d spec, Node node) {
    return new BatchNormalization.Builder()
        .eps(spec.eps())
        .decay(1 - spec.momentum())
        .useLogStd(false)
        .build();
  }

  @Override
  public Layer maxPool2d(LayerSpec.MaxPool2d spec, Node node) {
    Window2d window = checked(spec.window(node.in().get(0)), node);
    return new SubsamplingLayer.Builder(SubsamplingLayer.PoolingType.MAX)
        .kernelSize(ints(spec.kernelSize()))
        .stride(ints(spec.stride()))
        .padding(window.padTop(), window.padLeft())
        .build();
  }

  /** Of the whole image, so that a convolution can follow. */
  @Override
  public Layer globalAvgPool(LayerSpec.GlobalAvgPool spec, Node node) {
    return new SubsamplingLayer.Builder(SubsamplingLayer.PoolingType.AVG)
        .kernelSize(node.in().get(0).height(), node.in().get(0).width())
        .stride(1, 1)
        .build();
  }

  @Override
  public Layer activation(LayerSpec.Activation spec, Node node) {
    checkRelu(spec, node);
    return new ActivationLayer(Activation.RELU);
  }

  /** It is told which share is kept. */
  @Override
  public Layer dropout(LayerSpec.Dropout spec, Node node) {
    return new DropoutLayer.Builder(1 - spec.p()).build();
  }

  @Override
  public Layer flatten(LayerSpec.Flatten spec, Node node) {
    throw new IllegalArgumentException(
        node.label() + ": this engine flattens before linear by itself; leave the layer out");
  }
}
