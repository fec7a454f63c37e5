package convtrain.testing;

import convtrain.graph.Init;
import convtrain.graph.LayerSpec;
import convtrain.graph.ModelGraph;
import convtrain.graph.ModelSpec;
import convtrain.graph.Node;
import convtrain.graph.Padding;
import convtrain.graph.Pair;
import convtrain.graph.ParameterSpec;
import convtrain.graph.Shape;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * Small random classifiers: chains of convolution, batch norm, activation, pooling and dropout with
 * p = 0, residual additions and concatenations, ending in one value per class.
 */
public final class RandomGraphs {
  /** Which functions may occur. */
  public enum Kind {
    /** Differentiable everywhere: no ReLU, leaky ReLU or max pooling. */
    SMOOTH,
    /** Every layer type. */
    ANY
  }

  private final Random random;
  private final boolean smooth;
  private final List<LayerSpec> layers = new ArrayList<>();
  private Shape shape;

  private RandomGraphs(Random random, boolean smooth) {
    this.random = random;
    this.smooth = smooth;
  }

  /**
   * A model that depends on its arguments alone.
   *
   * @param seed which one
   * @param blocks how many pieces stand between the input and the classifier's head
   */
  public static ModelSpec model(long seed, int blocks, Kind kind) {
    return new RandomGraphs(new Random(seed), kind == Kind.SMOOTH).build(blocks);
  }

  /** Values for all tensors of a graph, by full name; running variances and scales above 0. */
  public static Map<String, double[]> parameters(ModelGraph graph, long seed) {
    Random random = new Random(seed);
    Map<String, double[]> parameters = new LinkedHashMap<>();
    for (Node node : graph.nodes()) {
      for (ParameterSpec parameter : node.parameters()) {
        double scale = Math.sqrt((double) parameter.dims().get(0) / parameter.elements());
        boolean positive =
            parameter.name().equals("running_var")
                || (node.spec() instanceof LayerSpec.BatchNorm2d
                    && parameter.name().equals("weight"));
        double[] values = normals(parameter.elements(), random);
        for (int i = 0; i < values.length; i++) {
          values[i] = positive ? 0.5 + Math.abs(values[i]) : scale * values[i];
        }
        parameters.put(node.tensorName(parameter), values);
      }
    }
    return parameters;
  }

  /** Standard normal values. */
  public static double[] normals(int elements, Random random) {
    return random.doubles(elements).map(unused -> random.nextGaussian()).toArray();
  }

  private ModelSpec build(int blocks) {
    Shape input = Shape.image(1 + below(4), 3 + below(5), 3 + below(5));
    shape = input;
    for (int i = 0; i < blocks; i++) {
      switch (below(6)) {
        case 0, 1 -> chain();
        case 2 -> residual();
        case 3 -> dense();
        case 4 -> pool();
        default -> strided();
      }
    }
    head();
    return new ModelSpec(input, layers);
  }

  private void chain() {
    same(1 + below(5), null);
    if (random.nextBoolean()) {
      append(new LayerSpec.BatchNorm2d(null, null, null, null, random.nextBoolean()));
    }
    activate();
  }

  /** tensor + f(tensor), or tensor + f(tensor) + g(tensor). */
  private void residual() {
    String from = named();
    same(shape.channels(), null);
    append(new LayerSpec.BatchNorm2d(null, null, null, null, null));
    activate();
    String to = named();
    List<String> inputs = new ArrayList<>(List.of(from, to));
    if (random.nextBoolean()) {
      same(shape.channels(), List.of(from));
      inputs.add(0, named());
    }
    append(new LayerSpec.Add(null, inputs));
  }

  /** concat(tensor, f(tensor)). */
  private void dense() {
    String from = named();
    Shape before = shape;
    same(1 + below(3), null);
    activate();
    List<String> inputs = List.of(from, named());
    append(new LayerSpec.Concat(null, inputs), before, shape);
  }

  private void pool() {
    Pair kernel = new Pair(kernelUpTo(shape.height()), kernelUpTo(shape.width()));
    Pair stride = new Pair(1 + below(2), 1 + below(2));
    Padding padding = new Padding(false, new Pair(below(kernel.h() / 2), below(kernel.w() / 2)));
    boolean ceil = random.nextBoolean();
    append(
        smooth || random.nextBoolean()
            ? new LayerSpec.AvgPool2d(
                null, null, kernel, stride, padding, ceil, random.nextBoolean())
            : new LayerSpec.MaxPool2d(null, null, kernel, stride, padding, ceil));
  }

  /** A convolution of any geometry. */
  private void strided() {
    int groups = random.nextBoolean() ? shape.channels() : 1;
    Pair kernel = new Pair(kernelUpTo(shape.height()), kernelUpTo(shape.width()));
    append(
        new LayerSpec.Conv2d(
            null,
            null,
            groups * (1 + below(2)),
            kernel,
            new Pair(1 + below(2), 1 + below(2)),
            new Padding(false, new Pair(below(2), below(2))),
            Pair.of(1),
            groups,
            random.nextBoolean(),
            Init.DEFAULT));
    activate();
  }

  private void head() {
    int classes = 2 + below(4);
    if (random.nextBoolean()) {
      append(
          new LayerSpec.Conv2d(
              null, null, classes, Pair.of(1), null, null, null, null, null, null));
      append(new LayerSpec.GlobalAvgPool(null, null));
    } else {
      append(new LayerSpec.Flatten(null, null));
      append(new LayerSpec.Linear(null, null, classes, null, null));
    }
    switch (below(3)) {
      case 0 -> append(new LayerSpec.LogSoftmax(null, null));
      case 1 -> append(new LayerSpec.Softmax(null, null));
      default -> {}
    }
  }

  /** A convolution that keeps height and width. */
  private void same(int channels, List<String> inputs) {
    Pair kernel = new Pair(1 + below(3), 1 + below(3));
    append(
        new LayerSpec.Conv2d(
            null,
            inputs,
            channels,
            kernel,
            null,
            Padding.SAME,
            Pair.of(1 + below(2)),
            null,
            random.nextBoolean(),
            null));
  }

  private void activate() {
    append(
        switch (below(smooth ? 5 : 7)) {
          case 0 -> new LayerSpec.Sigmoid(null, null);
          case 1 -> new LayerSpec.Tanh(null, null);
          case 2 -> new LayerSpec.Silu(null, null);
          case 3 -> new LayerSpec.Gelu(null, null, LayerSpec.Gelu.Approximate.NONE);
          case 4 -> new LayerSpec.Gelu(null, null, LayerSpec.Gelu.Approximate.TANH);
          case 5 -> new LayerSpec.Relu(null, null);
          default -> new LayerSpec.LeakyRelu(null, null, 0.1);
        });
  }

  /** Gives the tensor that the next layer would read a name, by a dropout that drops nothing. */
  private String named() {
    String name = "t" + layers.size();
    append(new LayerSpec.Dropout(name, null, 0.0));
    return name;
  }

  /** Appends a layer whose inputs all have the current shape. */
  private void append(LayerSpec layer) {
    append(layer, shape);
  }

  private void append(LayerSpec layer, Shape... in) {
    layers.add(layer);
    shape = layer.outputShape(List.of(in));
  }

  private int kernelUpTo(int size) {
    return 1 + below(Math.min(3, size));
  }

  private int below(int bound) {
    return bound < 1 ? 0 : random.nextInt(bound);
  }
}
