package convtrain.backend.cuda.op;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import jcuda.Pointer;

/** The factors that cuDNN and cuBLAS read from host memory at each call: result = 1 new + 0 old. */
final class Factors {
  static final Pointer ONE = of(1);
  static final Pointer ZERO = of(0);

  private Factors() {}

  /** Direct memory: a call reads it in place. */
  private static Pointer of(float factor) {
    FloatBuffer value =
        ByteBuffer.allocateDirect(Float.BYTES).order(ByteOrder.nativeOrder()).asFloatBuffer();
    value.put(0, factor);
    return Pointer.to(value);
  }
}
