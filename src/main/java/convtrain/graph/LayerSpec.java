package convtrain.graph;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import com.fasterxml.jackson.annotation.JsonTypeName;
import java.util.List;

/**
 * One layer as the run file words it: PyTorch's names, defaults and semantics.
 *
 * <p>A record holds a layer type's fields with their defaults, rejects what cannot be, infers the
 * output shape and names the parameters. Adding a layer type is adding a record here with its
 * {@link Visitor} method; the compiler then names every backend that lacks it. {@code name} and
 * {@code inputs} may be null: {@link ModelGraph} then names the layer by type and ordinal and feeds
 * it from the layer before.
 */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "type")
public sealed interface LayerSpec {

  /** One method per layer type: what each backend must provide. */
  interface Visitor<R, C> {
    R conv2d(Conv2d spec, C context);

    R linear(Linear spec, C context);

    R batchNorm2d(BatchNorm2d spec, C context);

    R maxPool2d(MaxPool2d spec, C context);

    R avgPool2d(AvgPool2d spec, C context);

    R globalAvgPool(GlobalAvgPool spec, C context);

    R activation(Activation spec, C context);

    R softmax(AnySoftmax spec, C context);

    R dropout(Dropout spec, C context);

    R flatten(Flatten spec, C context);

    R add(Add spec, C context);

    R concat(Concat spec, C context);
  }

  /** The name given in the run file, or null. */
  String name();

  /** The names of the layers that feed this one, or null for the layer before. */
  List<String> inputs();

  <R, C> R accept(Visitor<R, C> visitor, C context);

  /**
   * Shape of one output sample.
   *
   * @throws IllegalArgumentException if the layer cannot take these inputs, saying what would fit
   */
  Shape outputShape(List<Shape> in);

  /** The tensors this layer owns, in PyTorch's order. */
  default List<ParameterSpec> parameters(List<Shape> in) {
    return List.of();
  }

  /** Multiply-adds of one sample's forward pass, counting convolutions and linear layers only. */
  default long macs(List<Shape> in) {
    return 0;
  }

  /** The sliding window's geometry, or null for a layer without one. */
  default Window2d window(Shape in) {
    return null;
  }

  /** The word for this type in the run file, {@code conv2d}. */
  default String type() {
    return typeOf(getClass());
  }

  /** The word for a layer type in the run file. */
  static String typeOf(Class<?> spec) {
    return spec.getAnnotation(JsonTypeName.class).value();
  }

  /**
   * 2-D cross-correlation with zero padding: y[n,k,i,j] = bias[k] + sum over c, r, s of w[k,c,r,s]
   * x[n, c, i stride + r dilation - padding, j stride + s dilation - padding].
   *
   * <p>x [N, C, H, W], w [K, C/groups, R, S], bias [K], y [N, K, hOut, wOut].
   */
  @JsonTypeName("conv2d")
  record Conv2d(
      String name,
      List<String> inputs,
      @JsonProperty(required = true) Integer outChannels,
      @JsonProperty(required = true) Pair kernelSize,
      Pair stride,
      Padding padding,
      Pair dilation,
      Integer groups,
      Boolean bias,
      Init init)
      implements LayerSpec {
    public Conv2d {
      outChannels = Check.atLeast(1, Check.given(outChannels, "out_channels"), "out_channels");
      kernelSize = Check.given(kernelSize, "kernel_size").atLeast(1, "kernel_size");
      stride = Check.or(stride, Pair.of(1)).atLeast(1, "stride");
      padding = Check.or(padding, Padding.NONE);
      dilation = Check.or(dilation, Pair.of(1)).atLeast(1, "dilation");
      groups = Check.atLeast(1, Check.or(groups, 1), "groups");
      bias = Check.or(bias, true);
      init = Check.or(init, Init.DEFAULT);
      if (padding.same() && !stride.equals(Pair.of(1))) {
        throw new IllegalArgumentException(
            "padding=\"same\" needs stride=1, found stride="
                + stride
                + "; give the padding as a number");
      }
      if (outChannels % groups != 0) {
        throw new IllegalArgumentException(
            Check.divisors("groups", groups, "out_channels", outChannels));
      }
    }

    @Override
    public <R, C> R accept(Visitor<R, C> visitor, C context) {
      return visitor.conv2d(this, context);
    }

    @Override
    public Shape outputShape(List<Shape> in) {
      Shape x = Check.image(in);
      if (x.channels() % groups != 0) {
        throw new IllegalArgumentException(
            Check.divisors("groups", groups, "in_channels", x.channels()));
      }
      Pair out = window(x).out();
      return Shape.image(outChannels, out.h(), out.w());
    }

    @Override
    public Window2d window(Shape in) {
      return Window2d.over(in, kernelSize, stride, dilation, padding, false);
    }

    @Override
    public List<ParameterSpec> parameters(List<Shape> in) {
      int c = in.get(0).channels() / groups;
      long taps = (long) kernelSize.h() * kernelSize.w();
      return Check.weightAndBias(
          List.of(outChannels, c, kernelSize.h(), kernelSize.w()),
          bias,
          init.fill(c * taps, outChannels * taps),
          c * taps);
    }

    @Override
    public long macs(List<Shape> in) {
      long perPixel =
          (long) outChannels * (in.get(0).channels() / groups) * kernelSize.h() * kernelSize.w();
      Pair out = window(in.get(0)).out();
      return perPixel * out.h() * out.w();
    }
  }

  /**
   * y = x w^T + bias. x [N, in], w [out, in], bias [out], y [N, out]; an image of one pixel, [C, 1,
   * 1], counts as [C].
   */
  @JsonTypeName("linear")
  record Linear(
      String name,
      List<String> inputs,
      @JsonProperty(required = true) Integer outFeatures,
      Boolean bias,
      Init init)
      implements LayerSpec {
    public Linear {
      outFeatures = Check.atLeast(1, Check.given(outFeatures, "out_features"), "out_features");
      bias = Check.or(bias, true);
      init = Check.or(init, Init.DEFAULT);
    }

    @Override
    public <R, C> R accept(Visitor<R, C> visitor, C context) {
      return visitor.linear(this, context);
    }

    @Override
    public Shape outputShape(List<Shape> in) {
      Shape x = Check.one(in);
      if (!x.isVector()) {
        throw new IllegalArgumentException(
            "expects a vector, found the image "
                + x
                + "; put {\"type\": \"flatten\"} or {\"type\": \"global_avg_pool\"} before it");
      }
      return Shape.vector(outFeatures);
    }

    @Override
    public List<ParameterSpec> parameters(List<Shape> in) {
      int features = in.get(0).channels();
      return Check.weightAndBias(
          List.of(outFeatures, features), bias, init.fill(features, outFeatures), features);
    }

    @Override
    public long macs(List<Shape> in) {
      return (long) outFeatures * in.get(0).channels();
    }
  }

  /**
   * y = (x - mean) / sqrt(variance + eps) * weight + bias, per channel. Training uses the batch's
   * mean and biased variance over N, H, W and updates {@code running = (1 - momentum) running +
   * momentum batch}, with the unbiased variance; evaluation uses the running values.
   */
  @JsonTypeName("batch_norm2d")
  record BatchNorm2d(String name, List<String> inputs, Double eps, Double momentum, Boolean affine)
      implements LayerSpec {
    public BatchNorm2d {
      eps = Check.positive(Check.or(eps, 1e-5), "eps");
      momentum = Check.within(0, 1, Check.or(momentum, 0.1), "momentum");
      affine = Check.or(affine, true);
    }

    @Override
    public <R, C> R accept(Visitor<R, C> visitor, C context) {
      return visitor.batchNorm2d(this, context);
    }

    @Override
    public Shape outputShape(List<Shape> in) {
      return Check.image(in);
    }

    @Override
    public List<ParameterSpec> parameters(List<Shape> in) {
      List<Integer> dims = List.of(in.get(0).channels());
      ParameterSpec mean = new ParameterSpec("running_mean", dims, false, Fill.constant(0));
      ParameterSpec variance = new ParameterSpec("running_var", dims, false, Fill.constant(1));
      return affine
          ? List.of(
              new ParameterSpec("weight", dims, true, Fill.constant(1)),
              new ParameterSpec("bias", dims, true, Fill.constant(0)),
              mean,
              variance)
          : List.of(mean, variance);
    }
  }

  /** Largest value of each window; padding never wins. */
  @JsonTypeName("max_pool2d")
  record MaxPool2d(
      String name,
      List<String> inputs,
      @JsonProperty(required = true) Pair kernelSize,
      Pair stride,
      Padding padding,
      Boolean ceilMode)
      implements LayerSpec {
    public MaxPool2d {
      kernelSize = Check.given(kernelSize, "kernel_size").atLeast(1, "kernel_size");
      stride = Check.or(stride, kernelSize).atLeast(1, "stride");
      padding = Check.poolPadding(Check.or(padding, Padding.NONE), kernelSize);
      ceilMode = Check.or(ceilMode, false);
    }

    @Override
    public <R, C> R accept(Visitor<R, C> visitor, C context) {
      return visitor.maxPool2d(this, context);
    }

    @Override
    public Shape outputShape(List<Shape> in) {
      Shape x = Check.image(in);
      return Shape.image(x.channels(), window(x).out().h(), window(x).out().w());
    }

    @Override
    public Window2d window(Shape in) {
      return Window2d.over(in, kernelSize, stride, Pair.of(1), padding, ceilMode);
    }
  }

  /**
   * Mean of each window. With {@code count_include_pad} the divisor counts the declared padding
   * (but never what only {@code ceil_mode} adds), without it only pixels of the image.
   */
  @JsonTypeName("avg_pool2d")
  record AvgPool2d(
      String name,
      List<String> inputs,
      @JsonProperty(required = true) Pair kernelSize,
      Pair stride,
      Padding padding,
      Boolean ceilMode,
      Boolean countIncludePad)
      implements LayerSpec {
    public AvgPool2d {
      kernelSize = Check.given(kernelSize, "kernel_size").atLeast(1, "kernel_size");
      stride = Check.or(stride, kernelSize).atLeast(1, "stride");
      padding = Check.poolPadding(Check.or(padding, Padding.NONE), kernelSize);
      ceilMode = Check.or(ceilMode, false);
      countIncludePad = Check.or(countIncludePad, true);
    }

    @Override
    public <R, C> R accept(Visitor<R, C> visitor, C context) {
      return visitor.avgPool2d(this, context);
    }

    @Override
    public Shape outputShape(List<Shape> in) {
      Shape x = Check.image(in);
      return Shape.image(x.channels(), window(x).out().h(), window(x).out().w());
    }

    @Override
    public Window2d window(Shape in) {
      return Window2d.over(in, kernelSize, stride, Pair.of(1), padding, ceilMode);
    }
  }

  /** Mean over H and W: [C, H, W] to [C, 1, 1]. */
  @JsonTypeName("global_avg_pool")
  record GlobalAvgPool(String name, List<String> inputs) implements LayerSpec {
    @Override
    public <R, C> R accept(Visitor<R, C> visitor, C context) {
      return visitor.globalAvgPool(this, context);
    }

    @Override
    public Shape outputShape(List<Shape> in) {
      return Shape.image(Check.image(in).channels(), 1, 1);
    }
  }

  /** A function applied to each element; the shape stays. */
  sealed interface Activation extends LayerSpec {
    @Override
    default <R, C> R accept(Visitor<R, C> visitor, C context) {
      return visitor.activation(this, context);
    }

    @Override
    default Shape outputShape(List<Shape> in) {
      return Check.one(in);
    }
  }

  /** max(x, 0). */
  @JsonTypeName("relu")
  record Relu(String name, List<String> inputs) implements Activation {}

  /** x if x > 0, else negative_slope x. */
  @JsonTypeName("leaky_relu")
  record LeakyRelu(String name, List<String> inputs, Double negativeSlope) implements Activation {
    public LeakyRelu {
      negativeSlope = Check.finite(Check.or(negativeSlope, 0.01), "negative_slope");
    }
  }

  /** 1 / (1 + exp(-x)). */
  @JsonTypeName("sigmoid")
  record Sigmoid(String name, List<String> inputs) implements Activation {}

  /** Hyperbolic tangent. */
  @JsonTypeName("tanh")
  record Tanh(String name, List<String> inputs) implements Activation {}

  /** x sigmoid(x). */
  @JsonTypeName("silu")
  record Silu(String name, List<String> inputs) implements Activation {}

  /**
   * x Phi(x): {@code "none"} with the error function, {@code "tanh"} as x / 2 (1 + tanh(sqrt(2 /
   * pi) (x + 0.044715 x^3))).
   */
  @JsonTypeName("gelu")
  record Gelu(String name, List<String> inputs, Approximate approximate) implements Activation {
    /** How Phi is computed. */
    public enum Approximate {
      @JsonProperty("none")
      NONE,
      @JsonProperty("tanh")
      TANH
    }

    public Gelu {
      approximate = Check.or(approximate, Approximate.NONE);
    }
  }

  /** Softmax over the channels (classes), or its logarithm. */
  sealed interface AnySoftmax extends LayerSpec {
    boolean log();

    @Override
    default <R, C> R accept(Visitor<R, C> visitor, C context) {
      return visitor.softmax(this, context);
    }

    @Override
    default Shape outputShape(List<Shape> in) {
      return Check.one(in);
    }
  }

  /** exp(x_c) / sum over channels of exp(x). */
  @JsonTypeName("softmax")
  record Softmax(String name, List<String> inputs) implements AnySoftmax {
    @Override
    public boolean log() {
      return false;
    }
  }

  /** x_c - log(sum over channels of exp(x)). */
  @JsonTypeName("log_softmax")
  record LogSoftmax(String name, List<String> inputs) implements AnySoftmax {
    @Override
    public boolean log() {
      return true;
    }
  }

  /**
   * Training: each element is zeroed with probability p, the others are scaled by 1 / (1 - p);
   * evaluation: identity. Which elements fall follows from the seed, the step and the layer alone,
   * see {@link DropoutDraw}.
   */
  @JsonTypeName("dropout")
  record Dropout(String name, List<String> inputs, Double p) implements LayerSpec {
    public Dropout {
      p = Check.or(p, 0.5);
      if (!(p >= 0 && p < 1)) {
        throw new IllegalArgumentException("p=" + p + "; expected at least 0 and below 1");
      }
    }

    @Override
    public <R, C> R accept(Visitor<R, C> visitor, C context) {
      return visitor.dropout(this, context);
    }

    @Override
    public Shape outputShape(List<Shape> in) {
      return Check.one(in);
    }
  }

  /** [C, H, W] to [C H W], channels slowest, as PyTorch flattens. */
  @JsonTypeName("flatten")
  record Flatten(String name, List<String> inputs) implements LayerSpec {
    @Override
    public <R, C> R accept(Visitor<R, C> visitor, C context) {
      return visitor.flatten(this, context);
    }

    @Override
    public Shape outputShape(List<Shape> in) {
      return Shape.vector(Check.one(in).elements());
    }
  }

  /** Sum of two or more inputs of one shape. */
  @JsonTypeName("add")
  record Add(String name, List<String> inputs) implements LayerSpec {
    public Add {
      Check.several(inputs, "add");
    }

    @Override
    public <R, C> R accept(Visitor<R, C> visitor, C context) {
      return visitor.add(this, context);
    }

    @Override
    public Shape outputShape(List<Shape> in) {
      for (int i = 1; i < in.size(); i++) {
        if (!in.get(i).equals(in.get(0))) {
          throw new IllegalArgumentException(
              "needs inputs of one shape, found "
                  + Check.shapesByName(inputs, in)
                  + "; a 1x1 conv2d with the stride of the other path makes them equal");
        }
      }
      return in.get(0);
    }
  }

  /** The inputs' channels one after the other; H and W must agree. */
  @JsonTypeName("concat")
  record Concat(String name, List<String> inputs) implements LayerSpec {
    public Concat {
      Check.several(inputs, "concat");
    }

    @Override
    public <R, C> R accept(Visitor<R, C> visitor, C context) {
      return visitor.concat(this, context);
    }

    @Override
    public Shape outputShape(List<Shape> in) {
      Shape first = in.get(0);
      int channels = 0;
      for (Shape each : in) {
        if (each.height() != first.height()
            || each.width() != first.width()
            || each.flat() != first.flat()) {
          throw new IllegalArgumentException(
              "needs inputs of one height and width, found " + Check.shapesByName(inputs, in));
        }
        channels = Math.addExact(channels, each.channels());
      }
      return new Shape(channels, first.height(), first.width(), first.flat());
    }
  }
}
