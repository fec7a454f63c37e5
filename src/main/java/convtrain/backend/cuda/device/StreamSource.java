package convtrain.backend.cuda.device;

import static jcuda.driver.JCudaDriver.cuMemcpyHtoDAsync;

import convtrain.backend.Owned;
import convtrain.backend.Samples;
import jcuda.Pointer;
import jcuda.driver.CUdeviceptr;
import jcuda.driver.CUstream;

/**
 * Samples that stay on the host. A ring of slots exists twice: in pinned memory, where the {@link
 * Loader} gathers batches ahead, and on the device, where the copy stream takes them while the
 * compute stream works.
 *
 * <pre>
 * loader fills pinned slot --copy stream--> device slot --staging kernel--> x, labels
 *        ^ arrived: may be refilled              ^ consumed: may be overwritten
 * </pre>
 *
 * Batch b lies in slot b % slots: its images [N, C, H, W], then its labels and its samples' indices
 * in the data set, the same distances apart in each slot.
 */
final class StreamSource implements BatchSource {
  private static final int MIN_SLOTS = 3;
  private static final int MAX_SLOTS = 16;
  private static final long ALIGNMENT = 256;

  private final Owned owned = new Owned();
  private final CUstream computeStream;
  private final CUstream copyStream;
  private final int slots;
  private final long labelsOffset;
  private final long slotBytes;
  private final CudaBuffer ring;
  private final CUdeviceptr[] deviceSlots;
  private final Pointer[] pinnedSlots;
  private final CudaEvent[] arrived;
  private final CudaEvent[] consumed;
  private final Loader loader;

  /** Batches of this pass whose copies were enqueued, and those whose copies are known as done. */
  private int issued;

  private int released;

  StreamSource(CudaContext context, int imageBytes, int batchSize, long ringBytes) {
    computeStream = context.stream();
    copyStream = context.copyStream();
    labelsOffset = labelsOffset(imageBytes, batchSize);
    slotBytes = slotBytes(imageBytes, batchSize);
    slots = slots(slotBytes, ringBytes);
    deviceSlots = new CUdeviceptr[slots];
    pinnedSlots = new Pointer[slots];
    arrived = new CudaEvent[slots];
    consumed = new CudaEvent[slots];
    Loader.Slot[] loaded = new Loader.Slot[slots];
    try {
      ring = owned.add(context.allocate(Math.multiplyExact(slots, slotBytes)));
      for (int i = 0; i < slots; i++) {
        deviceSlots[i] = ring.slice(i * slotBytes, slotBytes).devicePointer();
        PinnedBuffer pinned = owned.add(context.pinned(slotBytes));
        pinnedSlots[i] = pinned.pointer(0);
        loaded[i] = Loader.Slot.of(pinned, Math.toIntExact(labelsOffset));
        arrived[i] = owned.add(CudaEvent.forOrder());
        consumed[i] = owned.add(CudaEvent.forOrder());
      }
      owned.add(context::settle); // copies of a pass given up still read pinned memory
      loader = owned.add(new Loader(loaded, batchSize));
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, owned);
      throw e;
    }
  }

  private static long labelsOffset(int imageBytes, int batchSize) {
    return aligned(Math.multiplyExact((long) batchSize, imageBytes));
  }

  private static long slotBytes(int imageBytes, int batchSize) {
    return aligned(labelsOffset(imageBytes, batchSize) + 2L * batchSize * Integer.BYTES);
  }

  private static int slots(long slotBytes, long ringBytes) {
    return (int) Math.max(MIN_SLOTS, Math.min(MAX_SLOTS, ringBytes / slotBytes));
  }

  /** Device memory of such a ring. */
  static long bytes(int imageBytes, int batchSize, long ringBytes) {
    long slot = slotBytes(imageBytes, batchSize);
    return Math.multiplyExact(slots(slot, ringBytes), slot);
  }

  private static long aligned(long bytes) {
    return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  }

  @Override
  public FeedLayout start(Samples samples, int[] order, int count) {
    issued = 0;
    released = 0;
    loader.start(samples, order, count);
    return new FeedLayout(ring.address(), ring.address() + labelsOffset, 0, slotBytes, slots);
  }

  @Override
  public void ready(int batch) {
    if (batch > 0) {
      consumed[(batch - 1) % slots].record(computeStream);
    }
    releaseArrived();
    int filled = loader.filled();
    if (filled <= batch) {
      filled = awaitFilled(batch);
    }
    while (issued < Math.min(filled, batch + slots)) {
      issueCopy();
    }
    arrived[batch % slots].holdBack(computeStream);
  }

  /** Hands several slots back at a time, so that the loader is not woken for each. */
  private void releaseArrived() {
    if (issued - released <= slots / 2) {
      return;
    }
    while (released < issued && arrived[released % slots].passed()) {
      released++;
    }
    loader.release(released);
  }

  /** Waits for the loader, who may wait for a slot whose copy is not done. */
  private int awaitFilled(int batch) {
    while (released + slots <= batch) {
      arrived[released % slots].await();
      released++;
    }
    loader.release(released);
    return loader.awaitFilled(batch);
  }

  private void issueCopy() {
    int slot = issued % slots;
    if (issued >= slots) {
      consumed[slot].holdBack(copyStream);
    }
    Status.cuda(
        "cuMemcpyHtoDAsync",
        cuMemcpyHtoDAsync(deviceSlots[slot], pinnedSlots[slot], slotBytes, copyStream));
    arrived[slot].record(copyStream);
    issued++;
  }

  @Override
  public void stop() {
    loader.stop();
  }

  @Override
  public void close() {
    owned.close();
  }
}
