package convtrain.backend.cuda.device;

import static jcuda.driver.JCudaDriver.cuMemAlloc;
import static jcuda.driver.JCudaDriver.cuMemFree;
import static jcuda.driver.JCudaDriver.cuMemsetD8Async;

import convtrain.backend.DeviceBuffer;
import convtrain.backend.DeviceMemoryException;
import java.nio.ByteBuffer;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUresult;

/** Memory of a CUDA device: a 256-byte aligned, zeroed allocation, or a slice of one. */
public final class CudaBuffer implements DeviceBuffer {
  /** A place in device memory whose number can be read. */
  private static final class Place extends CUdeviceptr {
    Place(CUdeviceptr base, long offsetBytes) {
      super(base, offsetBytes);
    }

    long address() {
      return getNativePointer() + getByteOffset();
    }
  }

  /** The allocation that slices share. */
  private static final class Allocation {
    private final CudaContext context;
    private final long bytes;
    private CUdeviceptr base = new CUdeviceptr();

    Allocation(CudaContext context, long bytes) {
      this.context = context;
      this.bytes = bytes;
      int status = cuMemAlloc(base, Math.max(1, bytes));
      if (status == CUresult.CUDA_ERROR_OUT_OF_MEMORY) {
        throw new DeviceMemoryException(bytes, context.freeBytes());
      }
      Status.cuda("cuMemAlloc", status);
      context.allocated(bytes);
    }

    void check() {
      if (base == null) {
        throw new IllegalStateException("this memory was released");
      }
    }

    void free() {
      if (base != null) {
        CUdeviceptr freed = base;
        base = null;
        context.allocated(-bytes);
        context.settle();
        Status.release(() -> Status.cuda("cuMemFree", cuMemFree(freed)));
      }
    }
  }

  private final Allocation allocation;
  private final boolean owner;
  private final Place place;
  private final long bytes;

  private CudaBuffer(Allocation allocation, boolean owner, Place place, long bytes) {
    this.allocation = allocation;
    this.owner = owner;
    this.place = place;
    this.bytes = bytes;
  }

  static CudaBuffer allocate(CudaContext context, long bytes) {
    Allocation allocation = new Allocation(context, bytes);
    CudaBuffer buffer = new CudaBuffer(allocation, true, new Place(allocation.base, 0), bytes);
    try {
      buffer.clear();
    } catch (RuntimeException e) {
      allocation.free();
      throw e;
    }
    return buffer;
  }

  /** A buffer of this backend as what it is. */
  public static CudaBuffer of(DeviceBuffer buffer) {
    return (CudaBuffer) buffer;
  }

  @Override
  public long bytes() {
    return bytes;
  }

  /** Where it starts, in the device's address space. */
  public long address() {
    allocation.check();
    return place.address();
  }

  /** Where it starts, as JCuda takes it. */
  public Pointer pointer() {
    return devicePointer();
  }

  CUdeviceptr devicePointer() {
    allocation.check();
    return place;
  }

  @Override
  public CudaBuffer slice(long offsetBytes, long sliceBytes) {
    check(offsetBytes, sliceBytes);
    return new CudaBuffer(allocation, false, new Place(place, offsetBytes), sliceBytes);
  }

  /** Enqueues zeros over all of it. */
  public void clear() {
    if (bytes > 0) {
      Status.cuda(
          "cuMemsetD8Async",
          cuMemsetD8Async(devicePointer(), (byte) 0, bytes, allocation.context.stream()));
    }
  }

  @Override
  public void write(long offsetBytes, ByteBuffer from) {
    check(offsetBytes, from.remaining());
    allocation.context.staging().upload(from.duplicate(), place, offsetBytes);
  }

  @Override
  public void read(long offsetBytes, ByteBuffer into) {
    check(offsetBytes, into.remaining());
    allocation.context.staging().download(place, offsetBytes, into.duplicate());
  }

  /** Releases the allocation, once no enqueued work can use it any more. */
  @Override
  public void close() {
    if (owner) {
      allocation.free();
    }
  }

  private void check(long offsetBytes, long count) {
    allocation.check();
    if (offsetBytes < 0 || count < 0 || offsetBytes > bytes - count) {
      throw new IndexOutOfBoundsException(
          "bytes %d to %d of a buffer of %d".formatted(offsetBytes, offsetBytes + count, bytes));
    }
  }
}
