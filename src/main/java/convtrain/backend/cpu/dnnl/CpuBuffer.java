package convtrain.backend.cpu.dnnl;

import convtrain.backend.BackendException;
import convtrain.backend.DeviceBuffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.Locale;
import java.util.concurrent.atomic.AtomicLong;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Pointer;

/**
 * Host memory outside the Java heap: a zeroed allocation that begins at a 64-byte cache line or in
 * the middle of one, or a slice of such.
 */
public final class CpuBuffer implements DeviceBuffer {
  private static final int ALIGNMENT = 64;
  private static final int MIDDLE = ALIGNMENT / 2;
  private static final AtomicLong IN_USE = new AtomicLong();
  private static final AtomicLong PEAK = new AtomicLong();

  /** The allocation that slices share. */
  private static final class Allocation {
    private final long bytes;
    private Pointer raw;

    Allocation(long bytes) {
      this.bytes = bytes;
      raw = Pointer.calloc(1, bytes + ALIGNMENT + MIDDLE);
      if (raw == null || raw.isNull()) {
        throw new OutOfMemoryError("no " + bytes + " bytes of memory outside the Java heap");
      }
      PEAK.accumulateAndGet(IN_USE.addAndGet(bytes), Math::max);
    }

    Pointer raw() {
      if (raw == null) {
        throw new IllegalStateException("this memory was released");
      }
      return raw;
    }

    void free() {
      if (raw != null) {
        Pointer.free(raw);
        raw = null;
        IN_USE.addAndGet(-bytes);
      }
    }
  }

  private final Allocation allocation;
  private final boolean owner;
  private final long address;
  private final long bytes;

  private CpuBuffer(Allocation allocation, boolean owner, long address, long bytes) {
    this.allocation = allocation;
    this.owner = owner;
    this.address = address;
    this.bytes = bytes;
  }

  /** New zeroed memory that begins at a cache line. */
  public static CpuBuffer allocate(long bytes) {
    return allocate(bytes, 0);
  }

  /**
   * New zeroed memory for a backend's tensors, which begins in the middle of a cache line. oneDNN's
   * batch norm writes floats past the caches where a tensor begins at a multiple of its vectors,
   * and the next op would read them back from main memory (benchmarks/cpu.md). Vectors of AVX-512
   * are whole lines; those of AVX2, which it takes for 8 channels, still begin at multiples of
   * theirs.
   */
  public static CpuBuffer allocateBetweenLines(long bytes) {
    return allocate(bytes, MIDDLE);
  }

  private static CpuBuffer allocate(long bytes, int behindLine) {
    Allocation allocation = new Allocation(bytes);
    long line = (allocation.raw().address() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return new CpuBuffer(allocation, true, line + behindLine, bytes);
  }

  /** The least multiple of 64 that is no less: slices so far apart lie alike in their lines. */
  public static long aligned(long bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  /** Bytes that are allocated in this process. */
  public static long allocatedBytes() {
    return IN_USE.get();
  }

  /** The most bytes that were allocated at once in this process. */
  public static long peakBytes() {
    return PEAK.get();
  }

  @Override
  public long bytes() {
    return bytes;
  }

  @Override
  public CpuBuffer slice(long offsetBytes, long sliceBytes) {
    check(offsetBytes, sliceBytes);
    return new CpuBuffer(allocation, false, address + offsetBytes, sliceBytes);
  }

  @Override
  public void write(long offsetBytes, ByteBuffer from) {
    int count = from.remaining();
    check(offsetBytes, count);
    view(offsetBytes, count).put(from.duplicate());
  }

  @Override
  public void read(long offsetBytes, ByteBuffer into) {
    int count = into.remaining();
    check(offsetBytes, count);
    into.duplicate().put(view(offsetBytes, count));
  }

  /**
   * So many bytes as an int.
   *
   * @throws BackendException if a ByteBuffer does not reach so far
   */
  public static int reachable(long bytes) {
    if (bytes > Integer.MAX_VALUE) {
      throw new BackendException(
          String.format(
              Locale.ROOT,
              "a tensor of %,d bytes, of which this backend reaches %,d; use a smaller train.batch_size or a smaller model",
              bytes,
              Integer.MAX_VALUE));
    }
    return (int) bytes;
  }

  /** This memory as bytes, in native order; at most 2 GiB. */
  public ByteBuffer asBytes() {
    return view(0, reachable(bytes));
  }

  /** This memory as floats. */
  public FloatBuffer asFloats() {
    return asBytes().asFloatBuffer();
  }

  /** A buffer of this backend as floats. */
  public static FloatBuffer floats(DeviceBuffer buffer) {
    return ((CpuBuffer) buffer).asFloats();
  }

  /** Whether two buffers begin at the same byte. */
  public static boolean samePlace(DeviceBuffer a, DeviceBuffer b) {
    return ((CpuBuffer) a).address == ((CpuBuffer) b).address;
  }

  /** Where it starts, for oneDNN. */
  Pointer pointer() {
    allocation.raw();
    return new BytePointer() {
      BytePointer at(long start) {
        address = start;
        limit = bytes;
        capacity = bytes;
        return this;
      }
    }.at(address);
  }

  @Override
  public void close() {
    if (owner) {
      allocation.free();
    }
  }

  private void check(long offsetBytes, long count) {
    allocation.raw();
    if (offsetBytes < 0 || count < 0 || offsetBytes > bytes - count) {
      throw new IndexOutOfBoundsException(
          "bytes %d to %d of a buffer of %d".formatted(offsetBytes, offsetBytes + count, bytes));
    }
  }

  private ByteBuffer view(long offsetBytes, int count) {
    Pointer here = slice(offsetBytes, count).pointer();
    return here.asByteBuffer().order(ByteOrder.nativeOrder());
  }
}
