package convtrain.train;

import java.nio.ByteBuffer;

/** Element types of a safetensors file that can be read; F32 is the one written. */
enum ElementType {
  F32(Float.BYTES) {
    @Override
    float next(ByteBuffer in) {
      return in.getFloat();
    }
  },
  F64(Double.BYTES) {
    @Override
    float next(ByteBuffer in) {
      return (float) in.getDouble();
    }
  },
  F16(Short.BYTES) {
    @Override
    float next(ByteBuffer in) {
      return halfToFloat(in.getShort());
    }
  },
  BF16(Short.BYTES) {
    @Override
    float next(ByteBuffer in) {
      return Float.intBitsToFloat(in.getShort() << 16);
    }
  },
  I64(Long.BYTES) {
    @Override
    float next(ByteBuffer in) {
      return in.getLong();
    }
  };

  final int bytes;

  ElementType(int bytes) {
    this.bytes = bytes;
  }

  /** Takes one little-endian element, rounded to the nearest float. */
  abstract float next(ByteBuffer in);

  /** IEEE 754 binary16: 1 sign, 5 exponent (bias 15) and 10 fraction bits. */
  static float halfToFloat(short bits) {
    int sign = (bits & 0x8000) << 16;
    int exponent = bits >> 10 & 0x1f;
    int fraction = bits & 0x3ff;
    if (exponent == 0) {
      return Math.copySign(fraction * 0x1p-24f, Float.intBitsToFloat(sign | 0x3f800000));
    }
    int wide = exponent == 0x1f ? 0xff : exponent - 15 + 127;
    return Float.intBitsToFloat(sign | wide << 23 | fraction << 13);
  }
}
