package convtrain.graph;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.util.List;
import net.jqwik.api.Assume;
import net.jqwik.api.Example;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;

/** Window geometry against counting the positions one by one. */
class Window2dTest {
  @Property
  void outputSizeIsTheNumberOfWindowPositions(
      @ForAll @IntRange(min = 1, max = 20) int height,
      @ForAll @IntRange(min = 1, max = 20) int width,
      @ForAll @IntRange(min = 1, max = 6) int kernel,
      @ForAll @IntRange(min = 1, max = 5) int stride,
      @ForAll @IntRange(min = 1, max = 3) int dilation,
      @ForAll @IntRange(min = 0, max = 3) int padding,
      @ForAll boolean ceilMode) {
    // ceil_mode is for pooling, whose padding is at most half the kernel.
    Assume.that(!ceilMode || 2 * padding <= kernel);
    int rows = positions(height, kernel, stride, dilation, padding, ceilMode);
    int columns = positions(width, kernel, stride, dilation, padding, ceilMode);
    if (rows == 0 || columns == 0) {
      assertThatIllegalArgumentException()
          .isThrownBy(() -> window(height, width, kernel, stride, dilation, padding, ceilMode))
          .withMessageContaining("is larger than the padded input");
      return;
    }
    Window2d window = window(height, width, kernel, stride, dilation, padding, ceilMode);
    assertThat(window.out()).isEqualTo(new Pair(rows, columns));
    assertThat(window.padTop()).isEqualTo(padding);
    assertThat(window.padLeft()).isEqualTo(padding);
    int lastRow = (rows - 1) * stride + dilation * (kernel - 1) - padding;
    int lastColumn = (columns - 1) * stride + dilation * (kernel - 1) - padding;
    assertThat(window.padBottom()).isEqualTo(Math.max(padding, lastRow - height + 1));
    assertThat(window.padRight()).isEqualTo(Math.max(padding, lastColumn - width + 1));
    assertThat(window.overhang())
        .isEqualTo(lastRow >= height + padding || lastColumn >= width + padding);
  }

  /**
   * PyTorch's rule: every window that lies inside the padded input counts; with ceil_mode one more,
   * if positions remain uncovered and it starts inside the input or the leading padding.
   */
  private static int positions(
      int in, int kernel, int stride, int dilation, int padding, boolean ceilMode) {
    int extent = dilation * (kernel - 1) + 1;
    int padded = in + 2 * padding;
    if (extent > padded) {
      return 0;
    }
    int count = 0;
    int start = 0;
    while (start + extent <= padded) {
      count++;
      start += stride;
    }
    boolean uncovered = start - stride + extent < padded;
    return ceilMode && uncovered && start < in + padding ? count + 1 : count;
  }

  @Property
  void samePaddingKeepsTheSizeAndPutsTheOddZeroLast(
      @ForAll @IntRange(min = 1, max = 20) int height,
      @ForAll @IntRange(min = 1, max = 20) int width,
      @ForAll @IntRange(min = 1, max = 7) int kernel,
      @ForAll @IntRange(min = 1, max = 3) int dilation) {
    Window2d window =
        Window2d.over(
            Shape.image(1, height, width),
            Pair.of(kernel),
            Pair.of(1),
            Pair.of(dilation),
            Padding.SAME,
            false);
    assertThat(window.out()).isEqualTo(new Pair(height, width));
    assertThat(window.padTop() + window.padBottom()).isEqualTo(dilation * (kernel - 1));
    assertThat(window.padBottom() - window.padTop()).isBetween(0, 1);
    assertThat(window.padRight() - window.padLeft()).isBetween(0, 1);
  }

  @Property
  void convolutionCostsItsWindowForEachOutputElement(
      @ForAll @IntRange(min = 1, max = 4) int groups,
      @ForAll @IntRange(min = 1, max = 3) int inPerGroup,
      @ForAll @IntRange(min = 1, max = 3) int outPerGroup,
      @ForAll @IntRange(min = 1, max = 3) int kernel) {
    LayerSpec.Conv2d conv =
        new LayerSpec.Conv2d(
            null,
            null,
            groups * outPerGroup,
            Pair.of(kernel),
            null,
            null,
            null,
            groups,
            false,
            null);
    List<Shape> in = List.of(Shape.image(groups * inPerGroup, 6, 5));
    Shape out = conv.outputShape(in);
    ParameterSpec weight = conv.parameters(in).get(0);
    assertThat(weight.elements()).isEqualTo(groups * outPerGroup * inPerGroup * kernel * kernel);
    assertThat(conv.macs(in)).isEqualTo((long) weight.elements() * out.height() * out.width());
  }

  @Example
  void heightAndWidthAreIndependent() {
    Window2d window =
        Window2d.over(
            Shape.image(1, 9, 30),
            new Pair(2, 5),
            new Pair(1, 3),
            new Pair(2, 1),
            new Padding(false, new Pair(0, 2)),
            false);
    assertThat(window.out()).isEqualTo(new Pair(7, 10));
    assertThat(window.taps()).isEqualTo(10);
  }

  private static Window2d window(
      int height, int width, int kernel, int stride, int dilation, int padding, boolean ceilMode) {
    return Window2d.over(
        Shape.image(1, height, width),
        Pair.of(kernel),
        Pair.of(stride),
        Pair.of(dilation),
        Padding.of(padding),
        ceilMode);
  }
}
