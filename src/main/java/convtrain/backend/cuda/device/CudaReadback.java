package convtrain.backend.cuda.device;

import static jcuda.driver.JCudaDriver.cuMemcpyDtoDAsync;
import static jcuda.driver.JCudaDriver.cuMemcpyDtoHAsync;

import convtrain.backend.Owned;
import convtrain.backend.Readback;
import java.nio.ByteBuffer;
import jcuda.Pointer;

/**
 * Copies a small buffer in two strides: within the device in the order of the steps, so that later
 * ones cannot change it; from there to the host beside them.
 */
public final class CudaReadback implements Readback {
  private final Owned owned = new Owned();
  private final CudaContext context;
  private final CudaBuffer buffer;
  private final CudaBuffer snapshot;
  private final Pointer pinned;
  private final ByteBuffer copy;
  private final CudaEvent taken;
  private final CudaEvent there;
  private boolean underWay;

  public CudaReadback(CudaContext context, CudaBuffer buffer) {
    this.context = context;
    this.buffer = buffer;
    try {
      snapshot = owned.add(context.allocate(buffer.bytes()));
      PinnedBuffer host = owned.add(context.pinned(buffer.bytes()));
      pinned = host.pointer(0);
      copy = host.bytes();
      taken = owned.add(CudaEvent.forOrder());
      there = owned.add(CudaEvent.forOrder());
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, owned);
      throw e;
    }
  }

  @Override
  public void request() {
    if (underWay) {
      return;
    }
    long bytes = buffer.bytes();
    Status.cuda(
        "cuMemcpyDtoDAsync",
        cuMemcpyDtoDAsync(
            snapshot.devicePointer(), buffer.devicePointer(), bytes, context.stream()));
    taken.record(context.stream());
    taken.holdBack(context.copyStream());
    Status.cuda(
        "cuMemcpyDtoHAsync",
        cuMemcpyDtoHAsync(pinned, snapshot.devicePointer(), bytes, context.copyStream()));
    there.record(context.copyStream());
    underWay = true;
  }

  @Override
  public ByteBuffer poll() {
    if (!underWay || !there.passed()) {
      return null;
    }
    underWay = false;
    return copy.clear();
  }

  /** Waits for a copy that is under way. */
  @Override
  public void close() {
    if (underWay) {
      underWay = false;
      context.settle();
    }
    owned.close();
  }
}
