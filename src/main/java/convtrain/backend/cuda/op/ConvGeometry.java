package convtrain.backend.cuda.op;

import convtrain.graph.LayerSpec;
import convtrain.graph.Node;
import convtrain.graph.Pair;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import convtrain.graph.Window2d;

/**
 * A convolution with the same padding on opposite sides, which is what cuDNN can do: x [N, h, w,
 * C], w [K, R, S, C/groups], y [N, hOut, wOut, K].
 *
 * @param pad zeros above and below, left and right
 */
record ConvGeometry(
    Precision precision,
    int n,
    int c,
    int h,
    int w,
    int k,
    int hOut,
    int wOut,
    Pair kernel,
    Pair stride,
    Pair dilation,
    Pair pad,
    int groups) {

  /** Of a layer; if its padding is uneven, of the convolution over its padded images. */
  static ConvGeometry of(Precision precision, int n, LayerSpec.Conv2d spec, Node node) {
    Shape in = node.in().get(0);
    Window2d window = spec.window(in);
    boolean framed = uneven(window);
    return new ConvGeometry(
        precision,
        n,
        in.channels(),
        framed ? window.padTop() + in.height() + window.padBottom() : in.height(),
        framed ? window.padLeft() + in.width() + window.padRight() : in.width(),
        spec.outChannels(),
        window.out().h(),
        window.out().w(),
        spec.kernelSize(),
        spec.stride(),
        spec.dilation(),
        framed ? Pair.of(0) : new Pair(window.padTop(), window.padLeft()),
        spec.groups());
  }

  /** Whether opposite sides are padded differently. */
  static boolean uneven(Window2d window) {
    return window.padTop() != window.padBottom() || window.padLeft() != window.padRight();
  }

  int taps() {
    return kernel.h() * kernel.w();
  }

  /** Pixels of the output, over the batch: rows of y as a matrix [pixels, K]. */
  long pixels() {
    return Math.multiplyExact((long) n, (long) hOut * wOut);
  }

  long xBytes() {
    return Math.multiplyExact((long) n * h * w, (long) c * precision.elementBytes());
  }

  /** Number of weights. */
  int weights() {
    return Math.toIntExact((long) k * taps() * (c / groups));
  }

  /** Whether it multiplies each pixel of x by one matrix, and nothing else. */
  boolean pixelwise() {
    return taps() == 1 && stride.equals(Pair.of(1)) && pad.equals(Pair.of(0)) && groups == 1;
  }

  /** All that its speed depends on, in words. */
  @Override
  public String toString() {
    return "%s x %dx%dx%dx%d k%d kernel %s stride %s dilation %s padding %s groups %d"
        .formatted(precision.word(), n, h, w, c, k, kernel, stride, dilation, pad, groups);
  }
}
