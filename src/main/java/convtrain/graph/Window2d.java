package convtrain.graph;

/**
 * The geometry of a sliding window (convolution or pooling) over one image, computed once for every
 * backend.
 *
 * <p>Output size, as in PyTorch: {@code floor((in + 2 padding - dilation (kernel - 1) - 1) /
 * stride) + 1}; with {@code ceil_mode} the division rounds up, but no window starts beyond the
 * input and its leading padding.
 *
 * @param kernel rows and columns of the window
 * @param stride step between windows
 * @param dilation distance between taps; 1 is a dense window
 * @param padTop rows added above
 * @param padLeft columns added left
 * @param padBottom rows added below, including those that only {@code ceil_mode} needs
 * @param padRight columns added right, likewise
 * @param overhang whether {@code ceil_mode} made the last windows reach beyond the declared padding
 * @param out number of windows, vertically and horizontally
 */
public record Window2d(
    Pair kernel,
    Pair stride,
    Pair dilation,
    int padTop,
    int padLeft,
    int padBottom,
    int padRight,
    boolean overhang,
    Pair out) {

  /** Geometry of a window over an image of {@code in}; fails if not one window fits. */
  public static Window2d over(
      Shape in, Pair kernel, Pair stride, Pair dilation, Padding padding, boolean ceilMode) {
    Axis rows =
        Axis.of(
            in.height(),
            kernel.h(),
            stride.h(),
            dilation.h(),
            padding.same(),
            padding.amount().h(),
            ceilMode);
    Axis columns =
        Axis.of(
            in.width(),
            kernel.w(),
            stride.w(),
            dilation.w(),
            padding.same(),
            padding.amount().w(),
            ceilMode);
    if (rows.out < 1 || columns.out < 1) {
      throw new IllegalArgumentException(
          "kernel_size=%s with dilation=%s is larger than the padded input %s; use a smaller kernel or more padding"
              .formatted(kernel, dilation, in));
    }
    return new Window2d(
        kernel,
        stride,
        dilation,
        rows.before,
        columns.before,
        rows.after,
        columns.after,
        rows.overhang || columns.overhang,
        new Pair(rows.out, columns.out));
  }

  /** Taps of one window. */
  public int taps() {
    return kernel.h() * kernel.w();
  }

  private record Axis(int out, int before, int after, boolean overhang) {
    static Axis of(
        int in, int kernel, int stride, int dilation, boolean same, int pad, boolean ceilMode) {
      int extent = Math.addExact(Math.multiplyExact(dilation, kernel - 1), 1);
      int before = same ? (extent - 1) / 2 : pad;
      int after = same ? extent - 1 - before : pad;
      int span = Math.addExact(Math.addExact(in, before), after) - extent;
      if (span < 0) {
        return new Axis(0, before, after, false);
      }
      int out = (ceilMode ? (span + stride - 1) / stride : span / stride) + 1;
      if (ceilMode && (out - 1) * stride >= in + before) {
        out--;
      }
      int needed = (out - 1) * stride + extent - in - before;
      return new Axis(out, before, Math.max(after, needed), needed > after);
    }
  }
}
