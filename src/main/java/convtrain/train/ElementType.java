package convtrain.train;

import convtrain.graph.Precision;
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
      return Precision.fromFp16(in.getShort());
    }
  },
  BF16(Short.BYTES) {
    @Override
    float next(ByteBuffer in) {
      return Precision.fromBf16(in.getShort());
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
}
