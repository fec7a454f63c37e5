package convtrain.backend.cpu.op;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_BIAS;

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
import convtrain.graph.Precision;
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
 * reference loops, a thousand times slower. In bf16 a pass towards few channels runs as {@link
 * ConvGeometry}'s folded one.
 */
final class ConvOp implements LayerOp {
  private final Owned owned = new Owned();
  private final Dnnl dnnl;
  private final Workers workers;
  private final int batch;
  private final ConvGeometry geometry;
  private final boolean bias;
  private final memory.desc biasDesc;
  private final memory.desc weight;
  private final WeightedKernel forward;
  private final WeightedBackward backward;

  ConvOp(
      Dnnl dnnl,
      Workers workers,
      int batch,
      boolean training,
      LayerSpec.Conv2d spec,
      LayerContext context) {
    this.dnnl = dnnl;
    this.workers = workers;
    this.batch = batch;
    geometry = ConvGeometry.of(dnnl.precision(), spec, context.node());
    bias = spec.bias();
    try {
      biasDesc = owned.add(biasDesc(spec));
      weight = ((DnnlLayout) context.layouts().get("weight")).desc();
      // A bias would have to be repeated for each pixel of a fold.
      forward = owned.add(forward(bias ? geometry : geometry.foldedForward(), training, biasDesc));
      backward = training ? owned.add(backward(context.needsInputGradient().get(0))) : null;
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, owned);
      throw e;
    }
  }

  /** Of no dimensions where there is none, as oneDNN takes it. */
  private static memory.desc biasDesc(LayerSpec.Conv2d spec) {
    return spec.bias() ? Dnnl.vector(spec.outChannels()) : new memory.desc();
  }

  /** The layout that the forward primitive likes best, row-major where it takes a copy anyway. */
  static DnnlLayout weightLayout(Dnnl dnnl, int batch, LayerSpec.Conv2d spec, Node node) {
    ConvGeometry geometry = ConvGeometry.of(dnnl.precision(), spec, node);
    if (dnnl.roundsWeights()) {
      return DnnlLayout.rowMajor(dnnl, geometry.weightDims);
    }
    try (memory.desc x = dnnl.activation(batch, geometry.in);
        memory.desc y = dnnl.activation(batch, geometry.out);
        memory.desc any = Dnnl.any(geometry.weightDims);
        memory.desc bias = biasDesc(spec);
        var desc = geometry.forward(dnnl, true, x, any, bias, y)) {
      return new DnnlLayout(dnnl, desc.weights_desc(), Dnnl.rowMajor(geometry.weightDims));
    }
  }

  /** The forward primitive of a geometry: y from x, or dx from dy where that is folded. */
  private WeightedKernel forward(ConvGeometry used, boolean training, memory.desc added) {
    memory.desc from = owned.add(dnnl.activation(batch, used.in));
    memory.desc to = owned.add(dnnl.activation(batch, used.out));
    memory.desc w = dnnl.roundsWeights() ? owned.add(dnnl.factors(used.weightDims)) : weight;
    var desc = used.forward(dnnl, training, from, w, added, to);
    Kernel kernel = new Kernel(dnnl, desc, convolution_forward::new);
    var product = WeightedKernel.Product.forward(kernel, from, desc.weights_desc(), to);
    int[] index = used.weightIndex;
    memory.desc source = index == null ? weight : owned.add(Dnnl.rowMajor(used.weightDims));
    return new WeightedKernel(dnnl, product, source, index);
  }

  private WeightedBackward backward(boolean needsInputGradient) {
    WeightsGradient gradient = gradient();
    try {
      return new WeightedBackward(gradient, needsInputGradient ? data() : null);
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, gradient);
      throw e;
    }
  }

  private WeightedKernel data() {
    ConvGeometry folded = geometry.foldedBackwardData();
    if (folded != null) {
      return forward(folded, true, owned.add(new memory.desc()));
    }
    memory.desc x = owned.add(dnnl.activation(batch, geometry.in));
    memory.desc y = owned.add(dnnl.activation(batch, geometry.out));
    try (var hint = hint(x, y)) {
      var desc = geometry.backwardData(dnnl, x, y, hint);
      Kernel kernel = new Kernel(dnnl, desc, convolution_backward_data::new);
      return new WeightedKernel(
          dnnl, WeightedKernel.Product.backward(kernel, y, desc.weights_desc(), x), weight);
    }
  }

  /** The forward pass that a backward pass belongs to. */
  private convolution_forward.primitive_desc hint(memory.desc x, memory.desc y) {
    try (memory.desc factors = dnnl.factors(geometry.weightDims)) {
      return geometry.forward(dnnl, true, x, factors, biasDesc, y);
    }
  }

  private WeightsGradient gradient() {
    int count = parts();
    List<WeightsGradient.Part> parts = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      int samples = Workers.begin(batch, i + 1, count) - Workers.begin(batch, i, count);
      Supplier<WeightsGradient.Part> part = () -> part(samples);
      parts.add(count == 1 ? part.get() : workers.alone(part));
    }
    return new WeightsGradient(dnnl, workers, weight, bias ? biasDesc : null, parts);
  }

  /**
   * In bf16 one for each thread, as long as all their results together are no larger than what they
   * are computed from.
   */
  private int parts() {
    int count = Math.min(workers.parts(), batch);
    long results = count * Arrays.stream(geometry.weightDims).reduce(1, (a, b) -> a * b);
    long read = (long) batch * (geometry.in.elements() + geometry.out.elements());
    return dnnl.precision() == Precision.BF16 && results <= read ? count : 1;
  }

  private WeightsGradient.Part part(int samples) {
    memory.desc x = dnnl.activation(samples, geometry.in);
    memory.desc y = dnnl.activation(samples, geometry.out);
    try (var hint = hint(x, y)) {
      var desc = geometry.backwardWeights(dnnl, x, biasDesc, y, hint);
      Kernel kernel = new Kernel(dnnl, desc, convolution_backward_weights::new);
      return new WeightsGradient.Part(kernel, x, desc.diff_weights_desc(), y);
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
