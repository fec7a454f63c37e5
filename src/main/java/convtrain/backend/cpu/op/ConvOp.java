package convtrain.backend.cpu.op;

import static org.bytedeco.dnnl.global.dnnl.*;

import convtrain.backend.Binding;
import convtrain.backend.Op;
import convtrain.backend.OpFactory.Context;
import convtrain.backend.Owned;
import convtrain.backend.cpu.dnnl.Dnnl;
import convtrain.backend.cpu.dnnl.DnnlLayout;
import convtrain.backend.cpu.dnnl.Kernel;
import convtrain.graph.LayerSpec;
import convtrain.graph.Node;
import convtrain.graph.Shape;
import convtrain.graph.Window2d;
import org.bytedeco.dnnl.convolution_backward_data;
import org.bytedeco.dnnl.convolution_backward_weights;
import org.bytedeco.dnnl.convolution_forward;
import org.bytedeco.dnnl.memory;

/**
 * Convolution with its bias: x [N, C, H, W], w [K, C/groups, R, S], y [N, K, hOut, wOut].
 *
 * <p>Weights stay in the layout that the forward primitive chose. Where the backward primitives
 * choose another, the (small) weight tensor is reordered around them: forcing one layout on all
 * three falls back to reference loops, a thousand times slower.
 */
final class ConvOp implements Op {
  private final Owned owned = new Owned();
  private final Geometry geometry;
  private final boolean bias;
  private final Kernel forward;
  private final WeightedBackward backward;
  private final memory.desc x;
  private final memory.desc weight;
  private final memory.desc y;

  ConvOp(Dnnl dnnl, int batch, boolean training, LayerSpec.Conv2d spec, Context context) {
    geometry = new Geometry(spec, context.node());
    bias = spec.bias();
    x = owned.add(Dnnl.activation(batch, context.node().in().get(0)));
    y = owned.add(Dnnl.activation(batch, context.node().out()));
    DnnlLayout layout = (DnnlLayout) context.layouts().get("weight");
    weight = layout.desc();
    var forwardDesc = owned.add(geometry.forward(dnnl, training, x, weight, y, bias));
    forward = owned.add(new Kernel(dnnl, forwardDesc, new convolution_forward(forwardDesc)));
    backward =
        training
            ? owned.add(backward(dnnl, forwardDesc, context.needsInputGradient().get(0)))
            : null;
  }

  /** The layout of the weights that the forward primitive likes best. */
  static DnnlLayout weightLayout(Dnnl dnnl, int batch, LayerSpec.Conv2d spec, Node node) {
    Geometry geometry = new Geometry(spec, node);
    try (memory.desc x = Dnnl.activation(batch, node.in().get(0));
        memory.desc y = Dnnl.activation(batch, node.out());
        memory.desc any = Dnnl.any(geometry.weightDims);
        var desc = geometry.forward(dnnl, true, x, any, y, spec.bias())) {
      return new DnnlLayout(dnnl, desc.weights_desc(), Dnnl.rowMajor(geometry.weightDims));
    }
  }

  private WeightedBackward backward(
      Dnnl dnnl, convolution_forward.primitive_desc hint, boolean needsInputGradient) {
    Geometry g = geometry;
    memory.desc any = owned.add(Dnnl.any(g.weightDims));
    memory.desc biasDesc = owned.add(Dnnl.vector(g.outChannels));
    var weights =
        g.choice.backwardWeights(
            () ->
                bias
                    ? new convolution_backward_weights.primitive_desc(
                        dnnl.engine(),
                        algorithm.convolution_direct,
                        x,
                        any,
                        biasDesc,
                        y,
                        g.strides,
                        g.dilates,
                        g.padBefore,
                        g.padAfter,
                        hint,
                        dnnl.attributes(),
                        false)
                    : new convolution_backward_weights.primitive_desc(
                        dnnl.engine(),
                        algorithm.convolution_direct,
                        x,
                        any,
                        y,
                        g.strides,
                        g.dilates,
                        g.padBefore,
                        g.padAfter,
                        hint,
                        dnnl.attributes(),
                        false));
    Kernel weightsKernel = new Kernel(dnnl, weights, new convolution_backward_weights(weights));
    if (!needsInputGradient) {
      return new WeightedBackward(
          dnnl, weight, weightsKernel, weights.diff_weights_desc(), null, null);
    }
    var data =
        g.choice.backwardData(
            () ->
                new convolution_backward_data.primitive_desc(
                    dnnl.engine(),
                    algorithm.convolution_direct,
                    x,
                    any,
                    y,
                    g.strides,
                    g.dilates,
                    g.padBefore,
                    g.padAfter,
                    hint,
                    dnnl.attributes(),
                    false));
    Kernel dataKernel = new Kernel(dnnl, data, new convolution_backward_data(data));
    return new WeightedBackward(
        dnnl, weight, weightsKernel, weights.diff_weights_desc(), dataKernel, data.weights_desc());
  }

  @Override
  public Needs needs() {
    long scratch = forward.scratchBytes();
    return new Needs(0, backward == null ? scratch : Math.max(scratch, backward.scratchBytes()));
  }

  @Override
  public void bind(Binding b) {
    memory.desc biasDesc = owned.add(Dnnl.vector(geometry.outChannels));
    forward
        .with(DNNL_ARG_SRC, x, b.x().get(0))
        .with(DNNL_ARG_WEIGHTS, weight, b.parameters().get("weight"))
        .with(DNNL_ARG_DST, y, b.y());
    if (bias) {
      forward.with(DNNL_ARG_BIAS, biasDesc, b.parameters().get("bias"));
    }
    forward.ready(b.scratch());
    if (backward != null) {
      backward.bind(b, x, y, bias ? biasDesc : null);
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
    final int outChannels;
    final long[] weightDims;
    final long[] strides;
    final long[] dilates;
    final long[] padBefore;
    final long[] padAfter;
    final ConvChoice choice;

    Geometry(LayerSpec.Conv2d spec, Node node) {
      Shape in = node.in().get(0);
      Window2d window = spec.window(in);
      int r = spec.kernelSize().h();
      int s = spec.kernelSize().w();
      int groups = spec.groups();
      outChannels = spec.outChannels();
      choice = new ConvChoice(in.channels(), outChannels, groups);
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
  }
}
