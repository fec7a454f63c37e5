package convtrain.backend.cuda.device;

import jcuda.Pointer;

/** A place in native host memory by its number, which JCuda passes on without looking it up. */
final class HostAddress extends Pointer {
  HostAddress(long address) {
    super(address);
  }

  /** Where memory starts that {@code cuMemHostAlloc} gave. */
  static long of(Pointer allocated) {
    return new Reader(allocated).address();
  }

  private static final class Reader extends Pointer {
    Reader(Pointer other) {
      super(other);
    }

    long address() {
      return getNativePointer() + getByteOffset();
    }
  }
}
