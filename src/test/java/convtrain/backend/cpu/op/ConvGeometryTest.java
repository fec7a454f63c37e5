package convtrain.backend.cpu.op;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.graph.LayerSpec;
import convtrain.graph.ModelGraph;
import convtrain.graph.ModelSpec;
import convtrain.graph.Padding;
import convtrain.graph.Pair;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** When and how few channels are computed as those of neighbouring pixels. */
class ConvGeometryTest {
  @Test
  void twoPixelsOfEightChannelsAreOneOfSixteen() {
    ConvGeometry folded = geometry(Precision.BF16, 16, 8, 3, 14).foldedForward();
    assertThat(folded.in).isEqualTo(Shape.image(16, 14, 14));
    assertThat(folded.out).isEqualTo(Shape.image(16, 14, 7));
    assertThat(folded.weightDims).containsExactly(16, 16, 3, 4);
    assertThat(folded.weightIndex).startsWith(0, 1, 2, ConvGeometry.ZERO, 3, 4, 5);
    assertThat(folded.weightIndex).endsWith(ConvGeometry.ZERO, 1149, 1150, 1151);
  }

  @Test
  void theGradientOfEightChannelsTakesTheKernelTurnedOver() {
    ConvGeometry folded = geometry(Precision.BF16, 8, 16, 3, 28).foldedBackwardData();
    assertThat(folded.in).isEqualTo(Shape.image(16, 28, 28));
    assertThat(folded.out).isEqualTo(Shape.image(16, 28, 14));
    assertThat(folded.weightDims).containsExactly(16, 16, 3, 4);
    assertThat(folded.weightIndex).startsWith(8, 7, 6, ConvGeometry.ZERO, 5, 4, 3);
  }

  @ParameterizedTest
  @CsvSource({"1, 18", "2, 10", "4, 6", "8, 4"})
  void fewerChannelsTakeMorePixels(int channels, int kernelWidth) {
    ConvGeometry geometry = geometry(Precision.BF16, channels, channels, 3, 16);
    assertThat(geometry.foldedForward().weightDims).containsExactly(16, channels, 3, kernelWidth);
    assertThat(geometry.foldedBackwardData().weightDims)
        .containsExactly(16, channels, 3, kernelWidth);
  }

  @ParameterizedTest
  @CsvSource({
    "FP32, 8, 3, 14",
    "BF16, 16, 3, 14",
    "BF16, 5, 3, 14",
    "BF16, 64, 3, 14",
    "BF16, 8, 1, 14",
    "BF16, 8, 3, 13"
  })
  void otherConvolutionsStayAsTheyAre(Precision precision, int channels, int kernel, int width) {
    assertStays(geometry(precision, channels, channels, kernel, width));
  }

  /** Stride, dilation, groups. */
  @ParameterizedTest
  @CsvSource({"2, 1, 1", "1, 2, 1", "1, 1, 8"})
  void noStepsButOne(int stride, int dilation, int groups) {
    assertStays(geometry(conv(8, 3, stride, Padding.of(1), dilation, groups), 8, 14));
  }

  @Test
  void aPaddingWiderThanTheKernelReachesCannotBeTurned() {
    ConvGeometry geometry = geometry(conv(8, 3, 1, Padding.of(3), 1, 1), 8, 14);
    assertThat(geometry.foldedForward()).isNotSameAs(geometry);
    assertThat(geometry.foldedBackwardData()).isNull();
  }

  private static void assertStays(ConvGeometry geometry) {
    assertThat(geometry.foldedForward()).isSameAs(geometry);
    assertThat(geometry.foldedBackwardData()).isNull();
  }

  private static ConvGeometry geometry(
      Precision precision, int in, int out, int kernel, int width) {
    return geometry(precision, conv(out, kernel, 1, Padding.of(kernel / 2), 1, 1), in, width);
  }

  private static ConvGeometry geometry(LayerSpec.Conv2d conv, int in, int width) {
    return geometry(Precision.BF16, conv, in, width);
  }

  private static ConvGeometry geometry(
      Precision precision, LayerSpec.Conv2d conv, int in, int width) {
    ModelSpec model = new ModelSpec(Shape.image(in, width, width), List.of(conv));
    return ConvGeometry.of(precision, conv, ModelGraph.of(model).output());
  }

  private static LayerSpec.Conv2d conv(
      int out, int kernel, int stride, Padding padding, int dilation, int groups) {
    return new LayerSpec.Conv2d(
        "conv",
        null,
        out,
        Pair.of(kernel),
        Pair.of(stride),
        padding,
        Pair.of(dilation),
        groups,
        false,
        null);
  }
}
