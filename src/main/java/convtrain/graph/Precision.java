package convtrain.graph;

import com.fasterxml.jackson.annotation.JsonProperty;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Locale;

/**
 * How a network is computed. Parameters, gradients of parameters, optimizer state and running
 * statistics are fp32 in each; the precision is that of activations and of the products.
 */
public enum Precision {
  /** IEEE single precision throughout. */
  @JsonProperty("fp32")
  FP32(Float.BYTES),
  /** Stored as fp32; products of matrices and convolutions round their factors to 10 bits. */
  @JsonProperty("tf32")
  TF32(Float.BYTES),
  /** IEEE half precision, 10 bits of mantissa; gradients are scaled so that they do not vanish. */
  @JsonProperty("fp16")
  FP16(Short.BYTES),
  /** The upper half of an fp32: its range, 7 bits of mantissa. */
  @JsonProperty("bf16")
  BF16(Short.BYTES);

  private final int elementBytes;

  Precision(int elementBytes) {
    this.elementBytes = elementBytes;
  }

  /** Size of one element of an activation. */
  public int elementBytes() {
    return elementBytes;
  }

  /** The word for it in the run file. */
  public String word() {
    return name().toLowerCase(Locale.ROOT);
  }

  /**
   * Turns stored elements into floats, exactly.
   *
   * @param elements from its start, in native order
   * @param into its first {@code count} floats are set
   */
  public void decode(ByteBuffer elements, float[] into, int count) {
    ByteBuffer bytes = elements.duplicate().clear().order(ByteOrder.nativeOrder());
    switch (this) {
      case FP32, TF32 -> bytes.asFloatBuffer().get(into, 0, count);
      case FP16 -> {
        for (int i = 0; i < count; i++) {
          into[i] = fromFp16(bytes.getShort(i * Short.BYTES));
        }
      }
      case BF16 -> {
        for (int i = 0; i < count; i++) {
          into[i] = fromBf16(bytes.getShort(i * Short.BYTES));
        }
      }
    }
  }

  /** The float that an fp16 stands for: 1 bit of sign, 5 of exponent (bias 15), 10 of fraction. */
  public static float fromFp16(short bits) {
    int sign = (bits & 0x8000) << 16;
    int exponent = bits >> 10 & 0x1f;
    int fraction = bits & 0x3ff;
    if (exponent == 0) {
      return Math.copySign(fraction * 0x1p-24f, Float.intBitsToFloat(sign | 0x3f800000));
    }
    int wide = exponent == 0x1f ? 0xff : exponent - 15 + 127;
    return Float.intBitsToFloat(sign | wide << 23 | fraction << 13);
  }

  /** The float that a bf16 stands for. */
  public static float fromBf16(short bits) {
    return Float.intBitsToFloat(bits << 16);
  }

  /** The nearest bf16, of two the one whose last bit is zero; NaN stays NaN. */
  public static short toBf16(float value) {
    int bits = Float.floatToRawIntBits(value);
    if (Float.isNaN(value)) {
      return (short) (bits >>> 16 | 0x40);
    }
    return (short) (bits + 0x7FFF + (bits >>> 16 & 1) >>> 16);
  }
}
