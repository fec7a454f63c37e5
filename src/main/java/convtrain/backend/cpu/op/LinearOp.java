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
import org.bytedeco.dnnl.inner_product_backward_data;
import org.bytedeco.dnnl.inner_product_backward_weights;
import org.bytedeco.dnnl.inner_product_forward;
import org.bytedeco.dnnl.memory;

/** y = x w^T + bias: x [N, in], w [out, in], bias [out], y [N, out]; see {@link ConvOp}. */
final class LinearOp implements Op {
  private final Owned owned = new Owned();
  private final int outFeatures;
  private final boolean bias;
  private final Kernel forward;
  private final WeightedBackward backward;
  private final memory.desc x;
  private final memory.desc weight;
  private final memory.desc y;
  private final memory.desc biasDesc;

  LinearOp(Dnnl dnnl, int batch, boolean training, LayerSpec.Linear spec, Context context) {
    int inFeatures = context.node().in().get(0).channels();
    outFeatures = spec.outFeatures();
    bias = spec.bias();
    x = owned.add(Dnnl.matrix(batch, inFeatures));
    y = owned.add(Dnnl.matrix(batch, outFeatures));
    biasDesc = owned.add(Dnnl.vector(outFeatures));
    weight = ((DnnlLayout) context.layouts().get("weight")).desc();
    var forwardDesc = describe(dnnl, training, x, weight, bias ? biasDesc : null, y);
    forward = owned.add(new Kernel(dnnl, forwardDesc, new inner_product_forward(forwardDesc)));
    backward =
        training
            ? owned.add(
                backward(dnnl, inFeatures, forwardDesc, context.needsInputGradient().get(0)))
            : null;
  }

  /** The layout of the weights that the forward primitive likes best. */
  static DnnlLayout weightLayout(Dnnl dnnl, int batch, LayerSpec.Linear spec, Node node) {
    int inFeatures = node.in().get(0).channels();
    int outFeatures = spec.outFeatures();
    try (memory.desc x = Dnnl.matrix(batch, inFeatures);
        memory.desc y = Dnnl.matrix(batch, outFeatures);
        memory.desc any = Dnnl.any(outFeatures, inFeatures);
        memory.desc biasDesc = Dnnl.vector(outFeatures);
        var desc = describe(dnnl, true, x, any, spec.bias() ? biasDesc : null, y)) {
      return new DnnlLayout(dnnl, desc.weights_desc(), Dnnl.rowMajor(outFeatures, inFeatures));
    }
  }

  private static inner_product_forward.primitive_desc describe(
      Dnnl dnnl,
      boolean training,
      memory.desc x,
      memory.desc w,
      memory.desc biasDesc,
      memory.desc y) {
    int kind = training ? dnnl_forward_training : dnnl_forward_inference;
    return biasDesc == null
        ? new inner_product_forward.primitive_desc(
            dnnl.engine(), kind, x, w, y, dnnl.attributes(), false)
        : new inner_product_forward.primitive_desc(
            dnnl.engine(), kind, x, w, biasDesc, y, dnnl.attributes(), false);
  }

  private WeightedBackward backward(
      Dnnl dnnl,
      int inFeatures,
      inner_product_forward.primitive_desc hint,
      boolean needsInputGradient) {
    memory.desc any = owned.add(Dnnl.any(outFeatures, inFeatures));
    var weights =
        bias
            ? new inner_product_backward_weights.primitive_desc(
                dnnl.engine(), x, any, biasDesc, y, hint, dnnl.attributes(), false)
            : new inner_product_backward_weights.primitive_desc(
                dnnl.engine(), x, any, y, hint, dnnl.attributes(), false);
    Kernel weightsKernel = new Kernel(dnnl, weights, new inner_product_backward_weights(weights));
    if (!needsInputGradient) {
      return new WeightedBackward(
          dnnl, weight, weightsKernel, weights.diff_weights_desc(), null, null);
    }
    var data =
        new inner_product_backward_data.primitive_desc(
            dnnl.engine(), x, any, y, hint, dnnl.attributes(), false);
    Kernel dataKernel = new Kernel(dnnl, data, new inner_product_backward_data(data));
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
}
