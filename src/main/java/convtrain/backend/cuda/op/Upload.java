package convtrain.backend.cuda.op;

import convtrain.backend.DeviceBuffer;
import convtrain.backend.Owned;
import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.backend.cuda.device.CudaContext;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/** Small tables that kernels read, written to device memory when an op is bound. */
final class Upload {
  private Upload() {}

  static ByteBuffer host(int bytes) {
    return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
  }

  /** A new allocation with all of the buffer's bytes. */
  static CudaBuffer bytes(CudaContext cuda, ByteBuffer bytes) {
    CudaBuffer buffer = cuda.allocate(bytes.capacity());
    try {
      buffer.write(0, bytes.duplicate().clear());
      return buffer;
    } catch (RuntimeException e) {
      Owned.closeAfter(e, buffer);
      throw e;
    }
  }

  /** The buffers' addresses; 0 for null. */
  static CudaBuffer addresses(CudaContext cuda, List<DeviceBuffer> buffers) {
    ByteBuffer table = host(buffers.size() * Long.BYTES);
    for (DeviceBuffer buffer : buffers) {
      table.putLong(buffer == null ? 0 : CudaBuffer.of(buffer).address());
    }
    return bytes(cuda, table);
  }

  static CudaBuffer ints(CudaContext cuda, int... values) {
    ByteBuffer table = host(values.length * Integer.BYTES);
    table.asIntBuffer().put(values);
    return bytes(cuda, table);
  }

  static CudaBuffer floats(CudaContext cuda, float... values) {
    ByteBuffer table = host(values.length * Float.BYTES);
    table.asFloatBuffer().put(values);
    return bytes(cuda, table);
  }

  static CudaBuffer doubles(CudaContext cuda, double... values) {
    ByteBuffer table = host(values.length * Double.BYTES);
    table.asDoubleBuffer().put(values);
    return bytes(cuda, table);
  }
}
