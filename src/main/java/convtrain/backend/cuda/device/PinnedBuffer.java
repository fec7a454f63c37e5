package convtrain.backend.cuda.device;

import static jcuda.driver.JCudaDriver.cuMemFreeHost;
import static jcuda.driver.JCudaDriver.cuMemHostAlloc;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import jcuda.Pointer;

/**
 * Page-locked host memory, zeroed: the device copies to and from it while the host goes on.
 *
 * <p>Views of {@link #bytes()} that outlive {@link #close()} point at freed memory; who hands them
 * out keeps this open.
 */
public final class PinnedBuffer implements AutoCloseable {
  private final long bytes;
  private final long address;
  private Pointer pointer = new Pointer();

  PinnedBuffer(long bytes) {
    if (bytes < 0 || bytes > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          "%d bytes of pinned memory; expected 0 to %d, what one ByteBuffer can show"
              .formatted(bytes, Integer.MAX_VALUE));
    }
    this.bytes = bytes;
    Status.cuda("cuMemHostAlloc", cuMemHostAlloc(pointer, Math.max(1, bytes), 0));
    address = HostAddress.of(pointer);
    zero(bytes());
  }

  private static void zero(ByteBuffer memory) {
    byte[] zeros = new byte[Math.min(memory.remaining(), 1 << 16)];
    while (memory.hasRemaining()) {
      memory.put(zeros, 0, Math.min(memory.remaining(), zeros.length));
    }
  }

  /** Size of the memory. */
  public long size() {
    return bytes;
  }

  /** A new view of all of it, in native order. */
  public ByteBuffer bytes() {
    check();
    return pointer.getByteBuffer(0, bytes).order(ByteOrder.nativeOrder());
  }

  /** The byte at that offset as JCuda takes it. */
  public Pointer pointer(long offsetBytes) {
    check();
    if (offsetBytes < 0 || offsetBytes > bytes) {
      throw new IndexOutOfBoundsException(
          "byte %d of %d pinned ones".formatted(offsetBytes, bytes));
    }
    return new HostAddress(address + offsetBytes);
  }

  /** Where it starts, in the host's address space. */
  long address() {
    check();
    return address;
  }

  private void check() {
    if (pointer == null) {
      throw new IllegalStateException("this pinned memory was released");
    }
  }

  @Override
  public void close() {
    if (pointer != null) {
      Pointer freed = pointer;
      pointer = null;
      Status.release(() -> Status.cuda("cuMemFreeHost", cuMemFreeHost(freed)));
    }
  }
}
