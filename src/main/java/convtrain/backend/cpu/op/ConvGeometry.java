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
 * <p>oneDNN's vectors run over the 16 output channels of a block, and are filled in part where
 * there are fewer. {@link #foldedForward} and {@link #foldedBackwardData} are equal convolutions
 * that fill them: with only L channels to compute, f = 16 / L neighbouring pixels of a row count as
 * the channels of one, so the stride is f and the kernel, S wide, becomes S + f - 1 wide. At S = 3,
 * L = 8 a quarter of its taps are zeros, where half of the vectors' elements were idle.
 */
final class ConvGeometry {
  private static final int LANES = 16;

  /** In {@link #weightIndex}: a tap that is 0. */
  static final int ZERO = -1;

  final Shape in;
  final Shape out;
  final long[] weightDims;

  /**
   * Where each weight, in row-major order, lies in the layer's own, or {@link #ZERO}; null where
   * they are the layer's own.
   */
  final int[] weightIndex;

  private final Precision precision;
  private final int groups;
  private final long[] strides;
  private final long[] dilates;
  private final long[] padBefore;
  private final long[] padAfter;
  private final ConvChoice choice;

  private ConvGeometry(
      Precision precision,
      int groups,
      Shape in,
      Shape out,
      long[] weightDims,
      int[] weightIndex,
      long[] strides,
      long[] dilates,
      long[] padBefore,
      long[] padAfter) {
    this.precision = precision;
    this.groups = groups;
    this.in = in;
    this.out = out;
    this.weightDims = weightDims;
    this.weightIndex = weightIndex;
    this.strides = strides;
    this.dilates = dilates;
    this.padBefore = padBefore;
    this.padAfter = padAfter;
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
        Dnnl.dims(spec.stride().h(), spec.stride().w()),
        Dnnl.dims(spec.dilation().h() - 1, spec.dilation().w() - 1),
        Dnnl.dims(window.padTop(), window.padLeft()),
        Dnnl.dims(window.padBottom(), window.padRight()));
  }

  /** y from x with full vectors; itself where they are full or nothing would be gained. */
  ConvGeometry foldedForward() {
    return folds(out) ? folded(in, out, padBefore, padAfter, false) : this;
  }

  /**
   * dx from dy with full vectors, as a forward convolution with the kernel turned over; null where
   * they are full or nothing would be gained.
   */
  ConvGeometry foldedBackwardData() {
    long[] before = turned(padBefore);
    long[] after = turned(padAfter);
    boolean within = Math.min(before[0], before[1]) >= 0 && Math.min(after[0], after[1]) >= 0;
    return folds(in) && within ? folded(out, in, before, after, true) : null;
  }

  /** The padding of a convolution that goes the other way. */
  private long[] turned(long[] padding) {
    return Dnnl.dims(weightDims[2] - 1 - padding[0], weightDims[3] - 1 - padding[1]);
  }

  /** Measured in bf16 only, where a block of 8 costs as much as one of 16 (benchmarks/cpu.md). */
  private boolean folds(Shape computed) {
    int lanes = computed.channels();
    return precision == Precision.BF16
        && groups == 1
        && choice.few()
        && lanes < LANES
        && LANES % lanes == 0
        && computed.width() % (LANES / lanes) == 0
        && weightDims[3] > 1
        && Arrays.equals(strides, Dnnl.dims(1, 1))
        && Arrays.equals(dilates, Dnnl.dims(0, 0));
  }

  private ConvGeometry folded(
      Shape from, Shape computed, long[] before, long[] after, boolean turned) {
    int factor = LANES / computed.channels();
    Shape view = Shape.image(LANES, computed.height(), computed.width() / factor);
    int r = (int) weightDims[2];
    int s = (int) weightDims[3];
    int wide = s + factor - 1;
    int[] index = new int[LANES * from.channels() * r * wide];
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
        Dnnl.dims(1, factor),
        dilates,
        before,
        after);
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
                strides,
                dilates,
                padBefore,
                padAfter,
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
                  strides,
                  dilates,
                  padBefore,
                  padAfter,
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
