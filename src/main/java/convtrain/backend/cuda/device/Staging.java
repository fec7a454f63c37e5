package convtrain.backend.cuda.device;

import static jcuda.driver.JCudaDriver.cuMemcpyDtoHAsync;
import static jcuda.driver.JCudaDriver.cuMemcpyHtoDAsync;
import static jcuda.driver.JCudaDriver.cuStreamSynchronize;

import java.nio.ByteBuffer;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUstream;

/**
 * Copies between the host's buffers and the device, piece by piece through pinned memory, in the
 * order of the stream; each call returns when its copy is done.
 */
final class Staging implements AutoCloseable {
  private static final int BYTES = 4 << 20;

  private final CUstream stream;
  private final PinnedBuffer pinned = new PinnedBuffer(BYTES);
  private final Pointer pointer = pinned.pointer(0);
  private final ByteBuffer bytes = pinned.bytes();

  Staging(CUstream stream) {
    this.stream = stream;
  }

  /** Moves all that remains of {@code from}. */
  void upload(ByteBuffer from, CUdeviceptr to, long offsetBytes) {
    int end = from.limit();
    for (long at = offsetBytes; from.position() < end; ) {
      int count = Math.min(BYTES, end - from.position());
      from.limit(from.position() + count);
      bytes.clear().put(from);
      CUdeviceptr target = to.withByteOffset(at);
      Status.cuda("cuMemcpyHtoDAsync", cuMemcpyHtoDAsync(target, pointer, count, stream));
      Status.cuda("cuStreamSynchronize", cuStreamSynchronize(stream));
      from.limit(end);
      at += count;
    }
  }

  /** Fills all that remains of {@code into}. */
  void download(CUdeviceptr from, long offsetBytes, ByteBuffer into) {
    for (long at = offsetBytes; into.hasRemaining(); ) {
      int count = Math.min(BYTES, into.remaining());
      CUdeviceptr source = from.withByteOffset(at);
      Status.cuda("cuMemcpyDtoHAsync", cuMemcpyDtoHAsync(pointer, source, count, stream));
      Status.cuda("cuStreamSynchronize", cuStreamSynchronize(stream));
      into.put(bytes.clear().limit(count));
      at += count;
    }
  }

  @Override
  public void close() {
    pinned.close();
  }
}
