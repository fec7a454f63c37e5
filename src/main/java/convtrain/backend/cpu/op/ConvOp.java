package convtrain.backend.cpu.op;

import static org.bytedeco.dnnl.global.dnnl.*;

import convtrain.backend.Binding;
import convtrain.backend.Op;
import convtrain.backend.OpFactory.Context;
import convtrain.backend.Owned;
import convtrain.backend.cpu.dnnl.Dnnl;
import convtrain.backend.cpu.dnnl.DnnlLayout;
import convtrain.backend.cpu.dnnl.Kernel;
import convtrain.backend.cpu.dnnl.Workers;
import convtrain.graph.LayerSpec;
import convtrain.graph.Node;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import convtrain.graph.Window2d;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import org.bytedeco.dnnl.convolution_backward_data;
import org.bytedeco.dnnl.convolution_backward_weights;
import org.bytedeco.dnnl.convolution_forward;
import org.bytedeco.dnnl.memory;

/**
 * Convolution with its bias: x [N, C, H, W], w [K, C/groups, R, S], y [N, K, hOut, wOut].
 *
 * <p>Weights stay in the layout that the forward primitive chose; in bf16, of which each primitive
 * reads a rounded copy, in row-major order. Where the backward primitives choose another, the
 * (small) weight tensor is reordered around them: forcing one layout on all three falls back to
 * reference loops, a thousand times slower.
 */
final class ConvOp implements Op {
  private final Owned owned = new Owned();
  private final Geometry geometry;
  private final boolean bias;
  private final WeightedKernel forward;
  private final WeightedBackward backward;
  private final memory.desc x;
  private final memory.desc weight;
  private final memory.desc y;
  private final memory.desc biasDesc;

  ConvOp(
      Dnnl dnnl,
      Workers workers,
      int batch,
      boolean training,
      LayerSpec.Conv2d spec,
      Context context) {
    geometry = new Geometry(dnnl.precision(), spec, context.node());
    bias = spec.bias();
    x = owned.add(dnnl.activation(batch, context.node().in().get(0)));
    y = owned.add(dnnl.activation(batch, context.node().out()));
    biasDesc = owned.add(Dnnl.vector(geometry.outChannels));
    DnnlLayout layout = (DnnlLayout) context.layouts().get("weight");
    weight = layout.desc();
    memory.desc used = dnnl.roundsWeights() ? owned.add(dnnl.factors(geometry.weightDims)) : weight;
    var forwardDesc = geometry.forward(dnnl, training, x, used, y, bias);
    Kernel kernel = new Kernel(dnnl, forwardDesc, new convolution_forward(forwardDesc));
    forward = owned.add(new WeightedKernel(dnnl, kernel, weight, forwardDesc.weights_desc()));
    backward =
        training
            ? owned.add(
                backward(dnnl, workers, batch, forwardDesc, context.needsInputGradient().get(0)))
            : null;
  }

  /** The layout that the forward primitive likes best, row-major where it takes a copy anyway. */
  static DnnlLayout weightLayout(Dnnl dnnl, int batch, LayerSpec.Conv2d spec, Node node) {
    Geometry geometry = new Geometry(dnnl.precision(), spec, node);
    if (dnnl.roundsWeights()) {
      return DnnlLayout.rowMajor(dnnl, geometry.weightDims);
    }
    try (memory.desc x = dnnl.activation(batch, node.in().get(0));
        memory.desc y = dnnl.activation(batch, node.out());
        memory.desc any = Dnnl.any(geometry.weightDims);
        var desc = geometry.forward(dnnl, true, x, any, y, spec.bias())) {
      return new DnnlLayout(dnnl, desc.weights_desc(), Dnnl.rowMajor(geometry.weightDims));
    }
  }

  private WeightedBackward backward(
      Dnnl dnnl,
      Workers workers,
      int batch,
      convolution_forward.primitive_desc hint,
      boolean needsInputGradient) {
    WeightsGradient gradient = gradient(dnnl, workers, batch);
    if (!needsInputGradient) {
      return new WeightedBackward(gradient, null);
    }
    var desc = geometry.backwardData(dnnl, x, y, hint);
    Kernel data = new Kernel(dnnl, desc, new convolution_backward_data(desc));
    return new WeightedBackward(
        gradient, new WeightedKernel(dnnl, data, weight, desc.weights_desc()));
  }

  private WeightsGradient gradient(Dnnl dnnl, Workers workers, int batch) {
    int count = parts(dnnl, workers, batch);
    List<WeightsGradient.Part> parts = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int samples = Workers.begin(batch, i + 1, count) - Workers.begin(batch, i, count);
      Supplier<WeightsGradient.Part> part = () -> part(dnnl, samples);
      parts.add(count == 1 ? part.get() : workers.alone(part));
    }
    return new WeightsGradient(dnnl, workers, weight, bias ? biasDesc : null, parts);
  }

  /**
   * In bf16 one for each thread, as long as all their results together are no larger than what they
   * are computed from.
   */
  private int parts(Dnnl dnnl, Workers workers, int batch) {
    int count = Math.min(workers.parts(), batch);
    long results = count * Arrays.stream(geometry.weightDims).reduce(1, (a, b) -> a * b);
    long read = (long) batch * (geometry.in.elements() + geometry.out.elements());
    return dnnl.precision() == Precision.BF16 && results <= read ? count : 1;
  }

  private WeightsGradient.Part part(Dnnl dnnl, int samples) {
    memory.desc partX = dnnl.activation(samples, geometry.in);
    memory.desc partY = dnnl.activation(samples, geometry.out);
    try (memory.desc factors = dnnl.factors(geometry.weightDims);
        var hint = geometry.forward(dnnl, true, partX, factors, partY, bias)) {
      var desc = geometry.backwardWeights(dnnl, partX, partY, hint, bias);
      Kernel kernel = new Kernel(dnnl, desc, new convolution_backward_weights(desc));
      return new WeightsGradient.Part(kernel, partX, desc.diff_weights_desc(), partY);
    }
  }

  @Override
  public Needs needs() {
    long scratch = forward.scratchBytes();
    return new Needs(0, backward == null ? scratch : Math.max(scratch, backward.scratchBytes()));
  }

  @Override
  public void bind(Binding b) {
    Kernel kernel =
        forward.bind(b).with(DNNL_ARG_SRC, x, b.x().get(0)).with(DNNL_ARG_DST, y, b.y());
    if (bias) {
      kernel.with(DNNL_ARG_BIAS, biasDesc, b.parameters().get("bias"));
    }
    forward.ready();
    if (backward != null) {
      backward.bind(b, x, y);
    }
  }

  @Override
  public void forward() {
    forward.execute();
  }

  @Override
  public void backward() {
    backward.run();
  }

  @Override
  public String implementation() {
    return forward.implementation() + (backward == null ? "" : " | " + backward.implementation());
  }

  @Override
  public void close() {
    owned.close();
  }

  /** The convolution's dimensions as oneDNN takes them; its dilation counts the skipped taps. */
  private static final class Geometry {
    final Shape in;
    final Shape out;
    final int outChannels;
    final long[] weightDims;
    final long[] strides;
    final long[] dilates;
    final long[] padBefore;
    final long[] padAfter;
    final ConvChoice choice;

    Geometry(Precision precision, LayerSpec.Conv2d spec, Node node) {
      in = node.in().get(0);
      out = node.out();
      Window2d window = spec.window(in);
      int r = spec.kernelSize().h();
      int s = spec.kernelSize().w();
      int groups = spec.groups();
      outChannels = spec.outChannels();
      choice = new ConvChoice(precision, in.channels(), outChannels, groups);
      weightDims =
          groups == 1
              ? new long[] {outChannels, in.channels(), r, s}
              : new long[] {groups, outChannels / groups, in.channels() / groups, r, s};
      strides = Dnnl.dims(spec.stride().h(), spec.stride().w());
      dilates = Dnnl.dims(spec.dilation().h() - 1, spec.dilation().w() - 1);
      padBefore = Dnnl.dims(window.padTop(), window.padLeft());
      padAfter = Dnnl.dims(window.padBottom(), window.padRight());
    }

    convolution_forward.primitive_desc forward(
        Dnnl dnnl, boolean training, memory.desc x, memory.desc w, memory.desc y, boolean bias) {
      int kind = training ? dnnl_forward_training : dnnl_forward_inference;
      int direct = dnnl_convolution_direct;
      if (!bias) {
        return choice.forward(
            () ->
                new convolution_forward.primitive_desc(
                    dnnl.engine(),
                    kind,
                    direct,
                    x,
                    w,
                    y,
                    strides,
                    dilates,
                    padBefore,
                    padAfter,
                    dnnl.attributes(),
                    false));
      }
      try (memory.desc biasDesc = Dnnl.vector(outChannels)) {
        return choice.forward(
            () ->
                new convolution_forward.primitive_desc(
                    dnnl.engine(),
                    kind,
                    direct,
                    x,
                    w,
                    biasDesc,
                    y,
                    strides,
                    dilates,
                    padBefore,
                    padAfter,
                    dnnl.attributes(),
                    false));
      }
    }

    /** Writes floats, in a layout of its own. */
    convolution_backward_weights.primitive_desc backwardWeights(
        Dnnl dnnl,
        memory.desc x,
        memory.desc y,
        convolution_forward.primitive_desc hint,
        boolean bias) {
      try (memory.desc dw = Dnnl.any(weightDims);
          memory.desc db = Dnnl.vector(outChannels)) {
        return choice.backwardWeights(
            () ->
                bias
                    ? new convolution_backward_weights.primitive_desc(
                        dnnl.engine(),
                        algorithm.convolution_direct,
                        x,
                        dw,
                        db,
                        y,
                        strides,
                        dilates,
                        padBefore,
                        padAfter,
                        hint,
                        dnnl.attributes(),
                        false)
                    : new convolution_backward_weights.primitive_desc(
                        dnnl.engine(),
                        algorithm.convolution_direct,
                        x,
                        dw,
                        y,
                        strides,
                        dilates,
                        padBefore,
                        padAfter,
                        hint,
                        dnnl.attributes(),
                        false));
      }
    }

    convolution_backward_data.primitive_desc backwardData(
        Dnnl dnnl, memory.desc x, memory.desc y, convolution_forward.primitive_desc hint) {
      try (memory.desc w = dnnl.factors(weightDims)) {
        return choice.backwardData(
            () ->
                new convolution_backward_data.primitive_desc(
                    dnnl.engine(),
                    algorithm.convolution_direct,
                    x,
                    w,
                    y,
                    strides,
                    dilates,
                    padBefore,
                    padAfter,
                    hint,
                    dnnl.attributes(),
                    false));
      }
    }
  }
}
