package convtrain.graph;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PrecisionTest {
  private static float decoded(Precision precision, int bits) {
    ByteBuffer elements = ByteBuffer.allocate(8).order(ByteOrder.nativeOrder());
    float[] into = {-1, -1, 7};
    if (precision.elementBytes() == Short.BYTES) {
      elements.putShort(2, (short) bits);
    } else {
      elements.putInt(4, bits);
    }
    precision.decode(elements, into, 2);
    assertThat(into[0]).isZero();
    assertThat(into[2]).as("what lies behind").isEqualTo(7);
    return into[1];
  }

  /** Values from the tables of IEEE 754-2008 binary16. */
  @ParameterizedTest
  @CsvSource({
    "3C00, 1",
    "C000, -2",
    "3555, 0.333251953125",
    "7BFF, 65504",
    "0400, 0.00006103515625",
    "0001, 0.000000059604644775390625",
    "83FF, -0.000060975551605224609375",
    "8000, -0.0",
    "7C00, Infinity",
    "FC00, -Infinity",
    "7E00, NaN"
  })
  void halvesAreDecodedExactly(String bits, Float value) {
    assertThat(decoded(Precision.FP16, Integer.parseInt(bits, 16))).isEqualTo(value);
  }

  @ParameterizedTest
  @CsvSource({"3F80, 1", "C000, -2", "4049, 3.140625", "7F80, Infinity"})
  void brainFloatsAreTheUpperHalfOfFloats(String bits, float value) {
    assertThat(decoded(Precision.BF16, Integer.parseInt(bits, 16))).isEqualTo(value);
  }

  /** Half-way cases go to the even neighbour; what is too large becomes infinite, as in IEEE. */
  @ParameterizedTest
  @CsvSource({
    "3F800000, 3F80",
    "3F807FFF, 3F80",
    "3F808000, 3F80",
    "3F808001, 3F81",
    "3F818000, 3F82",
    "BF818000, BF82",
    "3FFF8000, 4000",
    "7F7F7FFF, 7F7F",
    "7F7FFFFF, 7F80",
    "7F800000, 7F80",
    "80000000, 8000",
    "00000001, 0000",
    "00018000, 0002"
  })
  void floatsBecomeTheNearestBrainFloat(String from, String to) {
    float value = Float.intBitsToFloat((int) Long.parseLong(from, 16));
    assertThat(Precision.toBf16(value)).isEqualTo((short) Integer.parseInt(to, 16));
  }

  @ParameterizedTest
  @ValueSource(ints = {0x7F800001, 0x7FC00000, 0xFF80FFFF, 0x7FFFFFFF})
  void notANumberStaysNone(int bits) {
    assertThat(Precision.fromBf16(Precision.toBf16(Float.intBitsToFloat(bits)))).isNaN();
  }

  @Test
  void floatsStayAsTheyAre() {
    int bits = Float.floatToRawIntBits(0.1f);
    assertThat(decoded(Precision.FP32, bits)).isEqualTo(0.1f);
    assertThat(decoded(Precision.TF32, bits)).isEqualTo(0.1f);
  }
}
