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
  @CsvSource({"FP32, 8, 3, 14", "BF16, 16, 3, 14", "BF16, 8, 1, 14", "BF16, 8, 3, 13"})
  void otherConvolutionsStayAsTheyAre(Precision precision, int channels, int kernel, int width) {
    ConvGeometry geometry = geometry(precision, channels, channels, kernel, width);
    assertThat(geometry.foldedForward()).isSameAs(geometry);
    assertThat(geometry.foldedBackwardData()).isNull();
  }

  private static ConvGeometry geometry(
      Precision precision, int in, int out, int kernel, int width) {
    Padding padding = Padding.of(kernel / 2);
    var conv =
        new LayerSpec.Conv2d(
            "conv", null, out, Pair.of(kernel), null, padding, null, null, false, null);
    Shape image = Shape.image(in, width, width);
    ModelGraph graph = ModelGraph.of(new ModelSpec(image, List.of(conv)));
    return ConvGeometry.of(precision, conv, graph.output());
  }
}
