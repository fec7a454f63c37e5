package convtrain.backend.cpu.op;

import static org.bytedeco.dnnl.global.dnnl.*;

import convtrain.backend.Binding;
import convtrain.backend.LayerContext;
import convtrain.backend.LayerOp;
import convtrain.backend.Owned;
import convtrain.backend.cpu.dnnl.Dnnl;
import convtrain.backend.cpu.dnnl.Kernel;
import convtrain.graph.LayerSpec;
import org.bytedeco.dnnl.eltwise_backward;
import org.bytedeco.dnnl.eltwise_forward;
import org.bytedeco.dnnl.memory;

/**
 * y = f(x) for each element. Where the derivative can be told from y (ReLU, sigmoid, tanh), y is
 * written over x and x is not kept.
 */
final class ElementwiseOp implements LayerOp {
  /**
   * @param forward oneDNN's algorithm
   * @param backward the same, or its form that takes y
   * @param alpha its parameter
   */
  private record Function(int forward, int backward, float alpha) {
    boolean fromOutput() {
      return forward != backward;
    }

    static Function of(LayerSpec.Activation spec) {
      if (spec instanceof LayerSpec.Relu) {
        return new Function(dnnl_eltwise_relu, dnnl_eltwise_relu_use_dst_for_bwd, 0);
      }
      if (spec instanceof LayerSpec.LeakyRelu leaky) {
        // With a negative slope the sign of y no longer tells the sign of x.
        float slope = leaky.negativeSlope().floatValue();
        return new Function(
            dnnl_eltwise_relu,
            slope < 0 ? dnnl_eltwise_relu : dnnl_eltwise_relu_use_dst_for_bwd,
            slope);
      }
      if (spec instanceof LayerSpec.Sigmoid) {
        return new Function(dnnl_eltwise_logistic, dnnl_eltwise_logistic_use_dst_for_bwd, 0);
      }
      if (spec instanceof LayerSpec.Tanh) {
        return new Function(dnnl_eltwise_tanh, dnnl_eltwise_tanh_use_dst_for_bwd, 0);
      }
      if (spec instanceof LayerSpec.Silu) {
        return new Function(dnnl_eltwise_swish, dnnl_eltwise_swish, 1);
      }
      boolean tanh = ((LayerSpec.Gelu) spec).approximate() == LayerSpec.Gelu.Approximate.TANH;
      int gelu = tanh ? dnnl_eltwise_gelu_tanh : dnnl_eltwise_gelu_erf;
      return new Function(gelu, gelu, 0);
    }
  }

  private final Owned owned = new Owned();
  private final Function function;
  private final memory.desc x;
  private final Kernel forward;
  private final Kernel backward;

  ElementwiseOp(
      Dnnl dnnl, int batch, boolean training, LayerSpec.Activation spec, LayerContext context) {
    function = Function.of(spec);
    try {
      x = owned.add(dnnl.activation(batch, context.node().out()));
      int kind = training ? dnnl_forward_training : dnnl_forward_inference;
      // The hint of a backward primitive must name its own form of the algorithm.
      int algorithm = training ? function.backward : function.forward;
      var desc =
          new eltwise_forward.primitive_desc(
              dnnl.engine(), kind, algorithm, x, x, function.alpha, 0f, dnnl.attributes(), false);
      forward = owned.add(new Kernel(dnnl, desc, eltwise_forward::new));
      Kernel back = null;
      if (training && context.needsInputGradient().get(0)) {
        var backDesc =
            new eltwise_backward.primitive_desc(
                dnnl.engine(),
                function.backward,
                x,
                x,
                x,
                function.alpha,
                0f,
                desc,
                dnnl.attributes(),
                false);
        back = owned.add(new Kernel(dnnl, backDesc, eltwise_backward::new));
      }
      backward = back;
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, owned);
      throw e;
    }
  }

  @Override
  public Needs needs() {
    return new Needs(
        0, Math.max(forward.scratchBytes(), backward == null ? 0 : backward.scratchBytes()));
  }

  @Override
  public Reads backwardReads() {
    return function.fromOutput() ? Reads.OUTPUT : Reads.INPUT;
  }

  @Override
  public boolean forwardInPlace() {
    return function.fromOutput();
  }

  @Override
  public boolean backwardInPlace() {
    return true;
  }

  @Override
  public void bind(Binding b) {
    forward.with(DNNL_ARG_SRC, x, b.x().get(0)).with(DNNL_ARG_DST, x, b.y()).ready(b.scratch());
    if (backward != null) {
      if (function.fromOutput()) {
        backward.with(DNNL_ARG_DST, x, b.y());
      } else {
        backward.with(DNNL_ARG_SRC, x, b.x().get(0));
      }
      backward
          .with(DNNL_ARG_DIFF_DST, x, b.dy())
          .with(DNNL_ARG_DIFF_SRC, x, b.dx().get(0))
          .ready(b.scratch());
    }
  }

  @Override
  public void forward() {
    forward.execute();
  }

  @Override
  public void backward() {
    backward.execute();
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
