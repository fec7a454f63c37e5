package convtrain.backend.cuda.op;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What cuBLAS is told of the sums it forms. */
class MatrixProductsTest extends OpTest {
  /**
   * 16-bit results are fp32 sums, rounded once: {@code large} and one are halfway to the next
   * number that the precision has, and half of the terms rounded by themselves would lose the one.
   */
  @ParameterizedTest
  @CsvSource({"BF16, 256", "FP16, 2048"})
  void sumsOfSixteenBitProductsAreRoundedOnce(Precision precision, double large) {
    Shape sample = Shape.vector(4);
    CudaBuffer x = images(precision, new double[] {large, 1, 1, 0}, sample);
    CudaBuffer w = images(precision, new double[] {1, 1, 1, 1}, sample);
    CudaBuffer y = spoilt(precision.elementBytes());
    new MatrixProducts(cuda(), precision, 1, 4, 1).forward(x, w, y).run();
    assertThat(fetch(precision, y, Shape.vector(1))).containsExactly(large + 2);
  }
}
