package convtrain.backend.cpu.op;

import static org.bytedeco.dnnl.global.dnnl.*;

import convtrain.backend.Binding;
import convtrain.backend.LayerContext;
import convtrain.backend.LayerOp;
import convtrain.backend.Owned;
import convtrain.backend.cpu.dnnl.Dnnl;
import convtrain.backend.cpu.dnnl.DnnlLayout;
import convtrain.backend.cpu.dnnl.Kernel;
import convtrain.backend.cpu.dnnl.Workers;
import convtrain.graph.LayerSpec;
import convtrain.graph.Node;
import java.util.List;
import org.bytedeco.dnnl.inner_product_backward_data;
import org.bytedeco.dnnl.inner_product_backward_weights;
import org.bytedeco.dnnl.inner_product_forward;
import org.bytedeco.dnnl.memory;

/** y = x w^T + bias: x [N, in], w [out, in], bias [out], y [N, out]; see {@link ConvOp}. */
final class LinearOp implements LayerOp {
  private final Owned owned = new Owned();
  private final int batch;
  private final int outFeatures;
  private final boolean bias;
  private final WeightedKernel forward;
  private final WeightedBackward backward;
  private final memory.desc x;
  private final memory.desc weight;
  private final memory.desc y;
  private final memory.desc biasDesc;

  LinearOp(
      Dnnl dnnl,
      Workers workers,
      int batch,
      boolean training,
      LayerSpec.Linear spec,
      LayerContext context) {
    this.batch = batch;
    int inFeatures = context.node().in().get(0).channels();
    outFeatures = spec.outFeatures();
    bias = spec.bias();
    try {
      x = owned.add(dnnl.matrix(batch, inFeatures));
      y = owned.add(dnnl.matrix(batch, outFeatures));
      biasDesc = owned.add(Dnnl.vector(outFeatures));
      weight = ((DnnlLayout) context.layouts().get("weight")).desc();
      memory.desc used =
          dnnl.roundsWeights() ? owned.add(dnnl.factors(outFeatures, inFeatures)) : weight;
      var forwardDesc = describe(dnnl, training, x, used, bias ? biasDesc : null, y);
      Kernel kernel = new Kernel(dnnl, forwardDesc, inner_product_forward::new);
      var product = WeightedKernel.Product.forward(kernel, x, forwardDesc.weights_desc(), y);
      forward = owned.add(new WeightedKernel(dnnl, product, weight));
      backward =
          training
              ? owned.add(
                  backward(
                      dnnl, workers, inFeatures, forwardDesc, context.needsInputGradient().get(0)))
              : null;
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, owned);
      throw e;
    }
  }

  /** The layout that the forward primitive likes best, row-major where it takes a copy anyway. */
  static DnnlLayout weightLayout(Dnnl dnnl, int batch, LayerSpec.Linear spec, Node node) {
    int inFeatures = node.in().get(0).channels();
    int outFeatures = spec.outFeatures();
    if (dnnl.roundsWeights()) {
      return DnnlLayout.rowMajor(dnnl, outFeatures, inFeatures);
    }
    try (memory.desc x = dnnl.matrix(batch, inFeatures);
        memory.desc y = dnnl.matrix(batch, outFeatures);
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
      Workers workers,
      int inFeatures,
      inner_product_forward.primitive_desc hint,
      boolean needsInputGradient) {
    WeightsGradient gradient = gradient(dnnl, workers, inFeatures, hint);
    try {
      WeightedKernel data = needsInputGradient ? data(dnnl, inFeatures, hint) : null;
      return new WeightedBackward(gradient, data);
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, gradient);
      throw e;
    }
  }

  private WeightedKernel data(
      Dnnl dnnl, int inFeatures, inner_product_forward.primitive_desc hint) {
    try (memory.desc w = dnnl.factors(outFeatures, inFeatures)) {
      var desc =
          new inner_product_backward_data.primitive_desc(
              dnnl.engine(), x, w, y, hint, dnnl.attributes(), false);
      Kernel data = new Kernel(dnnl, desc, inner_product_backward_data::new);
      var product = WeightedKernel.Product.backward(data, y, desc.weights_desc(), x);
      return new WeightedKernel(dnnl, product, weight);
    }
  }

  private WeightsGradient gradient(
      Dnnl dnnl, Workers workers, int inFeatures, inner_product_forward.primitive_desc hint) {
    memory.desc partX = dnnl.matrix(batch, inFeatures);
    memory.desc partY = dnnl.matrix(batch, outFeatures);
    try (memory.desc dw = Dnnl.any(outFeatures, inFeatures)) {
      var desc =
          bias
              ? new inner_product_backward_weights.primitive_desc(
                  dnnl.engine(), partX, dw, biasDesc, partY, hint, dnnl.attributes(), false)
              : new inner_product_backward_weights.primitive_desc(
                  dnnl.engine(), partX, dw, partY, hint, dnnl.attributes(), false);
      Kernel kernel = new Kernel(dnnl, desc, inner_product_backward_weights::new);
      var all = new WeightsGradient.Part(kernel, partX, desc.diff_weights_desc(), partY);
      return new WeightsGradient(dnnl, workers, weight, bias ? biasDesc : null, List.of(all));
    }
  }

  @Override
  public Needs needs() {
    long scratch = forward.scratchBytes();
    return new Needs(0, backward == null ? scratch : Math.max(scratch, backward.scratchBytes()));
  }

  @Override
  public void bind(Binding b) {
    Kernel kernel = forward.bind(b, b.x().get(0), b.y());
    if (bias) {
      kernel.with(DNNL_ARG_BIAS, biasDesc, b.parameters().get("bias"));
    }
    forward.ready();
    if (backward != null) {
      backward.bind(b);
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
