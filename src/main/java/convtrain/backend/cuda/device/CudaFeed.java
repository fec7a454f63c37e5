package convtrain.backend.cuda.device;

import convtrain.backend.DeviceMemoryException;
import convtrain.backend.Feed;
import convtrain.backend.Owned;
import convtrain.backend.Samples;
import convtrain.graph.DataPlacement;

/**
 * Batches of samples for the staging kernel: gathered on the device from images that stay there, or
 * streamed from the host. Which of both is decided when a pass begins; steps captured for one serve
 * the other, and what they stage is the same.
 *
 * <p>{@link DataPlacement#AUTO} keeps on the device what takes at most a quarter of the memory that
 * is free when its first pass begins.
 */
public final class CudaFeed implements Feed {
  private static final int FREE_PARTS = 4;
  private static final long RING_BYTES = 64L << 20;

  private final Owned owned = new Owned();
  private final CudaContext context;
  private final int imageBytes;
  private final int batchSize;
  private final DataPlacement placement;
  private final long ringBytes;
  private final CudaBuffer state;
  private final ResidentSource resident;
  private StreamSource stream;
  private BatchSource source;
  private int count;
  private int delivered;
  private int batches;

  /**
   * @param imageBytes C * H * W of each image
   * @param batchSize samples of a full batch
   */
  public CudaFeed(CudaContext context, int imageBytes, int batchSize, DataPlacement placement) {
    this(context, imageBytes, batchSize, placement, RING_BYTES);
  }

  /**
   * @param ringBytes what the slots of a streaming feed may take, if that is enough for a few
   */
  CudaFeed(
      CudaContext context, int imageBytes, int batchSize, DataPlacement placement, long ringBytes) {
    this.context = context;
    this.imageBytes = imageBytes;
    this.batchSize = batchSize;
    this.placement = placement;
    this.ringBytes = ringBytes;
    state = owned.add(context.allocate(FeedLayout.BYTES));
    resident = owned.add(new ResidentSource(context, imageBytes));
  }

  /** What the staging kernel reads and advances, see {@link FeedLayout}. */
  public CudaBuffer state() {
    return state;
  }

  /** Where the samples of this pass are: resident or streamed; null before the first. */
  DataPlacement placed() {
    if (source == null) {
      return null;
    }
    return source == resident ? DataPlacement.RESIDENT : DataPlacement.STREAM;
  }

  @Override
  public void start(Samples samples, int[] order, int passCount, int epoch) {
    check(samples, order, passCount);
    finish();
    FeedLayout layout = begin(samples, order, passCount);
    layout.write(state, batchSize, epoch);
    count = passCount;
  }

  private static void check(Samples samples, int[] order, int count) {
    if (count < 0 || count > order.length) {
      throw new IllegalArgumentException(
          "count=%d; expected 0 to the %d of order".formatted(count, order.length));
    }
    for (int i = 0; i < count; i++) {
      if (order[i] < 0 || order[i] >= samples.count()) {
        throw new IndexOutOfBoundsException(
            "order[%d]=%d; expected 0 to %d".formatted(i, order[i], samples.count() - 1));
      }
    }
  }

  /** Ends the pass before; its steps may still read what the next one overwrites. */
  private void finish() {
    count = 0;
    delivered = 0;
    batches = 0;
    if (source != null) {
      source.stop();
    }
    context.synchronize();
  }

  private FeedLayout begin(Samples samples, int[] order, int passCount) {
    if (staysOnDevice(samples, passCount)) {
      try {
        source = resident;
        return resident.start(samples, order, passCount);
      } catch (DeviceMemoryException e) {
        if (placement == DataPlacement.RESIDENT) {
          throw e;
        }
      }
    }
    if (stream == null) {
      stream = owned.add(new StreamSource(context, imageBytes, batchSize, ringBytes));
    }
    source = stream;
    return stream.start(samples, order, passCount);
  }

  private boolean staysOnDevice(Samples samples, int passCount) {
    return switch (placement) {
      case STREAM -> false;
      case RESIDENT -> true;
      case AUTO -> resident.holds(samples) || fits(resident.bytes(samples.count(), passCount));
    };
  }

  private boolean fits(long bytes) {
    return bytes <= context.freeBytes() / FREE_PARTS;
  }

  @Override
  public long bytesFor(int... counts) {
    long bytes = 0;
    int longest = 0;
    boolean streams = false;
    for (int samples : counts) {
      boolean stays =
          placement == DataPlacement.RESIDENT
              || placement == DataPlacement.AUTO && fits(resident.bytes(samples, samples));
      bytes += stays ? resident.bytes(samples, 0) : 0;
      longest = stays ? Math.max(longest, samples) : longest;
      streams |= !stays;
    }
    if (streams) {
      bytes += StreamSource.bytes(imageBytes, batchSize, ringBytes);
    }
    return bytes + (long) longest * Integer.BYTES;
  }

  @Override
  public int next() {
    int n = Math.min(batchSize, count - delivered);
    if (n > 0) {
      source.ready(batches);
      batches++;
      delivered += n;
    }
    return n;
  }

  @Override
  public void close() {
    owned.close();
  }
}
