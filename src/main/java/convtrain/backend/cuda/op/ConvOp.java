package convtrain.backend.cuda.op;

import static java.util.stream.Collectors.joining;

import convtrain.backend.BackendException;
import convtrain.backend.Binding;
import convtrain.backend.LayerContext;
import convtrain.backend.LayerOp;
import convtrain.backend.Owned;
import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.Launch;
import convtrain.graph.LayerSpec;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import convtrain.graph.Window2d;
import java.util.ArrayList;
import java.util.List;

/**
 * Convolution with its bias: x [N, H, W, C], w [K, R, S, C/groups], y [N, hOut, wOut, K].
 *
 * <p>Of the {@link ConvWays}, direction by direction, what measures fastest on this layer's own
 * memory runs.
 *
 * <p>Saved memory: x with its padding if that is uneven, which cuDNN cannot do; the weights in the
 * activations' precision if that is not fp32.
 */
final class ConvOp implements LayerOp {
  private final Owned owned = new Owned();
  private final CudaContext cuda;
  private final Precision precision;
  private final ConvGeometry geometry;
  private final Frame frame;
  private final boolean hasBias;
  private final Bias biasGradient;
  private final ConvWays ways;
  private final List<Runnable> forward = new ArrayList<>();
  private final List<Runnable> backward = new ArrayList<>();
  private final List<String> chosen = new ArrayList<>();

  ConvOp(
      CudaContext cuda,
      int batch,
      boolean training,
      Precision precision,
      LayerSpec.Conv2d spec,
      LayerContext context) {
    this.cuda = cuda;
    this.precision = precision;
    geometry = ConvGeometry.of(precision, batch, spec, context.node());
    Shape in = context.node().in().get(0);
    Window2d window = spec.window(in);
    frame = ConvGeometry.uneven(window) ? Frame.of(cuda, precision, batch, in, window) : null;
    hasBias = spec.bias();
    try {
      boolean data = training && context.needsInputGradient().get(0);
      biasGradient =
          training && hasBias
              ? owned.add(new Bias(cuda, precision, geometry.pixels(), geometry.k()))
              : null;
      ways = owned.add(new ConvWays(cuda, geometry, training, data));
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, owned);
      throw e;
    }
  }

  @Override
  public Needs needs() {
    long scratch = Math.max(largest(ways.forward()), largest(ways.backwardFilter()));
    if (biasGradient != null) {
      scratch = Math.max(scratch, biasGradient.gradientScratchBytes());
    }
    return new Needs(
        framedBytes() + narrowBytes(),
        Math.max(scratch, framedBytes() + largest(ways.backwardData())));
  }

  private static long largest(List<ConvWay> possible) {
    return possible.stream().mapToLong(ConvWay::scratchBytes).max().orElse(0);
  }

  private long framedBytes() {
    return frame == null ? 0 : Elements.aligned(geometry.xBytes());
  }

  private long narrowBytes() {
    return Elements.narrow(precision) ? (long) geometry.weights() * precision.elementBytes() : 0;
  }

  @Override
  public Reads backwardReads() {
    return frame == null ? Reads.INPUT : Reads.NEITHER;
  }

  @Override
  public void bind(Binding b) {
    CudaBuffer x = CudaBuffer.of(b.x().get(0));
    CudaBuffer saved = CudaBuffer.of(b.saved());
    CudaBuffer scratch = CudaBuffer.of(b.scratch());
    if (frame != null) {
      CudaBuffer framed = saved.slice(0, geometry.xBytes());
      forward.add(frame.pad(x, framed)::enqueue);
      x = framed;
    }
    CudaBuffer weight = CudaBuffer.of(b.parameters().get("weight"));
    CudaBuffer factors = weight;
    if (Elements.narrow(precision)) {
      factors = saved.slice(framedBytes(), narrowBytes());
      Launch narrow = Cast.fromFloat(cuda, precision, weight, factors, geometry.weights());
      forward.add(narrow::enqueue);
    }
    CudaBuffer bias = CudaBuffer.of(b.parameters().get("bias"));
    CudaBuffer y = CudaBuffer.of(b.y());
    ConvMemory memory = new ConvMemory(x, y, null, null, weight, factors, null, bias, scratch);
    forward.add(fastest("forward", ways.forward(), memory));
    if (b.dy() != null) {
      bindBackward(b, x, weight, factors);
    }
  }

  private void bindBackward(Binding b, CudaBuffer x, CudaBuffer weight, CudaBuffer factors) {
    CudaBuffer dy = CudaBuffer.of(b.dy());
    CudaBuffer scratch = CudaBuffer.of(b.scratch());
    if (biasGradient != null) {
      CudaBuffer dBias = CudaBuffer.of(b.gradients().get("bias"));
      backward.add(biasGradient.gradient(dy, dBias, scratch)::enqueue);
    }
    CudaBuffer dWeight = CudaBuffer.of(b.gradients().get("weight"));
    ConvMemory filter = new ConvMemory(x, null, null, dy, weight, factors, dWeight, null, scratch);
    backward.add(fastest("backward filter", ways.backwardFilter(), filter));
    if (b.dx().get(0) == null) {
      return;
    }
    CudaBuffer dx = CudaBuffer.of(b.dx().get(0));
    CudaBuffer computed = frame == null ? dx : scratch.slice(0, geometry.xBytes());
    long rest = largest(ways.backwardData());
    CudaBuffer workspace = rest == 0 ? null : scratch.slice(framedBytes(), rest);
    ConvMemory data =
        new ConvMemory(null, null, computed, dy, weight, factors, null, null, workspace);
    backward.add(fastest("backward data", ways.backwardData(), data));
    if (frame != null) {
      backward.add(frame.cut(computed, dx)::enqueue);
    }
  }

  private Runnable fastest(String direction, List<ConvWay> possible, ConvMemory memory) {
    String key =
        "conv2d %s%s, %s%s"
            .formatted(
                direction,
                memory.bias() == null ? "" : " with bias",
                geometry,
                cuda.deterministic() ? ", deterministic" : "");
    if (possible.isEmpty()) {
      throw new BackendException(
          "no algorithm for %s within %d MiB of workspace%s%s"
              .formatted(
                  key,
                  CudnnAlgorithms.WORKSPACE_LIMIT_BYTES >> 20,
                  cuda.deterministic() ? "; train.deterministic=false may have one" : "",
                  ways.refusals().stream().map(said -> "; " + said).collect(joining())));
    }
    List<String> names = possible.stream().map(ConvWay::name).toList();
    List<Runnable> candidates = possible.stream().map(way -> way.bind().apply(memory)).toList();
    Fastest.Pick pick = Fastest.of(cuda, key, names, candidates);
    chosen.add(pick.toString());
    return candidates.get(pick.index());
  }

  @Override
  public void forward() {
    forward.forEach(Runnable::run);
  }

  @Override
  public void backward() {
    backward.forEach(Runnable::run);
  }

  @Override
  public String implementation() {
    return String.join(" | ", chosen);
  }

  @Override
  public void close() {
    owned.close();
  }
}
