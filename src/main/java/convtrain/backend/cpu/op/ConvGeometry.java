package convtrain.backend.cpu.op;

import static org.bytedeco.dnnl.global.dnnl.*;

import convtrain.backend.cpu.dnnl.Dnnl;
import convtrain.graph.LayerSpec;
import convtrain.graph.Node;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import convtrain.graph.Window2d;
import java.util.Arrays;
import java.util.stream.LongStream;
import org.bytedeco.dnnl.convolution_backward_data;
import org.bytedeco.dnnl.convolution_backward_weights;
import org.bytedeco.dnnl.convolution_forward;
import org.bytedeco.dnnl.memory;

/**
 * A convolution's dimensions as oneDNN takes them, and its passes' descriptors; dilation counts the
 * skipped taps.
 *
 * <p>oneDNN's vectors run over blocks of 16 output channels, and are filled in part where there are
 * fewer. {@link #foldedForward} and {@link #foldedBackwardData} are equal convolutions that fill
 * them: of L channels to compute, those of f = 16 / L neighbouring pixels of a row count as one
 * pixel's. With w [K, C, R, S] the stride becomes f, the kernel S + f - 1 wide, and
 *
 * <pre>
 * forward:        w'[p K + k, c, r, t] = w[k, c, r, t - p]
 * backward, data: w'[p C + c, k, r, t] = w[k, c, R - 1 - r, S - 1 - (t - p)]
 * </pre>
 *
 * where 0 &lt;= t - p &lt; S, else 0; the latter reads dy, padded by R - 1 or S - 1 less the
 * layer's padding. At S = 3, L = 8 a quarter of the taps are 0, where half of the vectors' elements
 * were idle. Taps of 0 still multiply: an infinite x makes its neighbours' y NaN too.
 */
final class ConvGeometry {
  private static final int LANES = 16;

  /** In {@link #weightIndex}: a tap that is 0. */
  static final int ZERO = -1;

  /** How a kernel moves over an image: rows, then columns. */
  private record Steps(long[] strides, long[] dilates, long[] padBefore, long[] padAfter) {}

  /** Of what the forward primitive reads: x, or dy where it computes dx. */
  final Shape in;

  /** Of what it writes: y, or dx; folded, [16, H, W / f] of the same elements. */
  final Shape out;

  final long[] weightDims;

  /**
   * Where each weight, in row-major order, lies in the layer's own, or {@link #ZERO}; null where
   * they are the layer's own.
   */
  final int[] weightIndex;

  private final Precision precision;
  private final Steps steps;
  private final ConvChoice choice;

  private ConvGeometry(
      Precision precision,
      int groups,
      Shape in,
      Shape out,
      long[] weightDims,
      int[] weightIndex,
      Steps steps) {
    this.precision = precision;
    this.in = in;
    this.out = out;
    this.weightDims = weightDims;
    this.weightIndex = weightIndex;
    this.steps = steps;
    choice = new ConvChoice(precision, in.channels(), out.channels(), groups);
  }

  /** That of a layer. */
  static ConvGeometry of(Precision precision, LayerSpec.Conv2d spec, Node node) {
    Shape in = node.in().get(0);
    Window2d window = spec.window(in);
    int groups = spec.groups();
    long[] filter = {
      spec.outChannels() / groups,
      in.channels() / groups,
      spec.kernelSize().h(),
      spec.kernelSize().w()
    };
    return new ConvGeometry(
        precision,
        groups,
        in,
        node.out(),
        groups == 1
            ? filter
            : LongStream.concat(LongStream.of(groups), Arrays.stream(filter)).toArray(),
        null,
        new Steps(
            Dnnl.dims(spec.stride().h(), spec.stride().w()),
            Dnnl.dims(spec.dilation().h() - 1, spec.dilation().w() - 1),
            Dnnl.dims(window.padTop(), window.padLeft()),
            Dnnl.dims(window.padBottom(), window.padRight())));
  }

  /**
   * y from x with full vectors, for a layer without bias; this geometry where they are full or
   * nothing would be gained.
   */
  ConvGeometry foldedForward() {
    return gainsFromFolding(out) ? folded(in, out, steps.padBefore, steps.padAfter, false) : this;
  }

  /**
   * dx from dy with full vectors, as a forward convolution with the kernel turned over; null where
   * they are full, nothing would be gained, or the layer's padding is wider than its kernel
   * reaches.
   */
  ConvGeometry foldedBackwardData() {
    if (!gainsFromFolding(in)) {
      return null;
    }
    long[] before = turned(steps.padBefore);
    long[] after = turned(steps.padAfter);
    boolean narrow = Math.min(before[0], before[1]) >= 0 && Math.min(after[0], after[1]) >= 0;
    return narrow ? folded(out, in, before, after, true) : null;
  }

  /** The padding of a convolution that goes the other way. */
  private long[] turned(long[] padding) {
    return Dnnl.dims(weightDims[2] - 1 - padding[0], weightDims[3] - 1 - padding[1]);
  }

  /**
   * Whether computing these channels gains from a fold; measured in bf16, where a block of 8 costs
   * as much as one of 16 (benchmarks/cpu.md).
   */
  private boolean gainsFromFolding(Shape computed) {
    int lanes = computed.channels();
    return precision == Precision.BF16
        && choice.few()
        && lanes < LANES
        && LANES % lanes == 0
        && computed.width() % (LANES / lanes) == 0
        && weightDims[3] > 1
        && Arrays.equals(steps.strides, Dnnl.dims(1, 1))
        && Arrays.equals(steps.dilates, Dnnl.dims(0, 0));
  }

  private ConvGeometry folded(
      Shape from, Shape computed, long[] before, long[] after, boolean turned) {
    int factor = LANES / computed.channels();
    Shape view = Shape.image(LANES, computed.height(), computed.width() / factor);
    int r = (int) weightDims[2];
    int s = (int) weightDims[3];
    int wide = s + factor - 1;
    int[] index = new int[Math.toIntExact((long) LANES * from.channels() * r * wide)];
    int next = 0;
    for (int lane = 0; lane < LANES; lane++) {
      int pixel = lane / computed.channels();
      int o = lane % computed.channels();
      for (int i = 0; i < from.channels(); i++) {
        for (int row = 0; row < r; row++) {
          for (int t = 0; t < wide; t++) {
            int column = t - pixel;
            index[next++] =
                column < 0 || column >= s
                    ? ZERO
                    : turned ? at(i, o, r - 1 - row, s - 1 - column) : at(o, i, row, column);
          }
        }
      }
    }
    return new ConvGeometry(
        precision,
        1,
        from,
        view,
        new long[] {LANES, from.channels(), r, wide},
        index,
        new Steps(Dnnl.dims(1, factor), steps.dilates, before, after));
  }

  /** Where a weight of an ungrouped layer lies. */
  private int at(int k, int c, int row, int column) {
    return (int) (((k * weightDims[1] + c) * weightDims[2] + row) * weightDims[3] + column);
  }

  /**
   * y from x.
   *
   * @param bias of zero dimensions for a layer without
   */
  convolution_forward.primitive_desc forward(
      Dnnl dnnl, boolean training, memory.desc x, memory.desc w, memory.desc bias, memory.desc y) {
    int kind = training ? dnnl_forward_training : dnnl_forward_inference;
    return choice.forward(
        () ->
            new convolution_forward.primitive_desc(
                dnnl.engine(),
                kind,
                dnnl_convolution_direct,
                x,
                w,
                bias,
                y,
                steps.strides,
                steps.dilates,
                steps.padBefore,
                steps.padAfter,
                dnnl.attributes(),
                false));
  }

  /** The gradients of weights and bias from x and dy: floats, the former in a layout of its own. */
  convolution_backward_weights.primitive_desc backwardWeights(
      Dnnl dnnl,
      memory.desc x,
      memory.desc bias,
      memory.desc y,
      convolution_forward.primitive_desc hint) {
    try (memory.desc dw = Dnnl.any(weightDims)) {
      return choice.backwardWeights(
          () ->
              new convolution_backward_weights.primitive_desc(
                  dnnl.engine(),
                  algorithm.convolution_direct,
                  x,
                  dw,
                  bias,
                  y,
                  steps.strides,
                  steps.dilates,
                  steps.padBefore,
                  steps.padAfter,
                  hint,
                  dnnl.attributes(),
                  false));
    }
  }

  /** dx from dy. */
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
                  steps.strides,
                  steps.dilates,
                  steps.padBefore,
                  steps.padAfter,
                  hint,
                  dnnl.attributes(),
                  false));
    }
  }
}
