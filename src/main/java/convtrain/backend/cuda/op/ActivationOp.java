package convtrain.backend.cuda.op;

import convtrain.backend.Binding;
import convtrain.backend.LayerContext;
import convtrain.backend.LayerOp;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.Launch;
import convtrain.graph.LayerSpec;
import convtrain.graph.Precision;

/**
 * y = f(x) for each element, kernels/activations.cu. Where the slope can be told from y (ReLU,
 * sigmoid, tanh), y is written over x and x is not kept.
 */
final class ActivationOp implements LayerOp {
  /**
   * @param name the kernels' name without direction
   * @param fromOutput whether the slope is told from y
   * @param alpha its parameter
   */
  private record Function(String name, boolean fromOutput, float alpha) {
    static Function of(LayerSpec.Activation spec) {
      if (spec instanceof LayerSpec.LeakyRelu leaky) {
        // With a negative slope the sign of y no longer tells the sign of x.
        float slope = leaky.negativeSlope().floatValue();
        return new Function("leaky_relu", slope >= 0, slope);
      }
      if (spec instanceof LayerSpec.Silu) {
        return new Function("silu", false, 0);
      }
      if (spec instanceof LayerSpec.Gelu gelu) {
        boolean tanh = gelu.approximate() == LayerSpec.Gelu.Approximate.TANH;
        return new Function(tanh ? "gelu_tanh" : "gelu", false, 0);
      }
      // relu, sigmoid, tanh
      return new Function(spec.type(), true, 0);
    }
  }

  private final Function function;
  private final Grids.Packs packs;
  private Launch forward;
  private Launch backward;

  ActivationOp(
      CudaContext cuda,
      int batch,
      Precision precision,
      LayerSpec.Activation spec,
      LayerContext context) {
    function = Function.of(spec);
    packs = Grids.Packs.of(cuda, precision, (long) batch * context.node().out().elements());
  }

  @Override
  public Reads backwardReads() {
    return function.fromOutput ? Reads.OUTPUT : Reads.INPUT;
  }

  @Override
  public boolean forwardInPlace() {
    return function.fromOutput;
  }

  @Override
  public boolean backwardInPlace() {
    return true;
  }

  @Override
  public void bind(Binding b) {
    forward =
        packs.launch(
            "activations",
            function.name + "_forward",
            b.x().get(0),
            b.y(),
            packs.count(),
            function.alpha);
    if (b.dy() != null && b.dx().get(0) != null) {
      backward =
          packs.launch(
              "activations",
              function.name + "_backward",
              function.fromOutput ? b.y() : b.x().get(0),
              b.dy(),
              b.dx().get(0),
              packs.count(),
              function.alpha);
    }
  }

  @Override
  public void forward() {
    forward.enqueue();
  }

  @Override
  public void backward() {
    if (backward != null) {
      backward.enqueue();
    }
  }

  @Override
  public String implementation() {
    return "convtrain:" + function.name;
  }

  @Override
  public void close() {}
}
