package convtrain.data;

import convtrain.graph.Philox;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The batches of one epoch after another. An epoch's order depends only on the seed and the epoch's
 * number, so a resumed run sees the batches it would have seen.
 *
 * <p>For one thread. {@link #next} allocates nothing.
 */
public final class BatchStream {
  private final Dataset data;
  private final int batchSize;
  private final boolean shuffle;
  private final long seed;
  private final int stepsPerEpoch;
  private final int samplesPerEpoch;
  private final int[] order;
  private int delivered;

  /**
   * @param batchSize samples of a batch; the last of an epoch may have fewer
   * @param shuffle whether each epoch has an order of its own, or else the data's
   * @param dropLast whether a last batch of fewer samples is left out
   * @param seed the run's seed
   */
  public BatchStream(Dataset data, int batchSize, boolean shuffle, boolean dropLast, long seed) {
    if (batchSize < 1) {
      throw new IllegalArgumentException("batch_size=" + batchSize + "; expected at least 1");
    }
    this.data = data;
    this.batchSize = batchSize;
    this.shuffle = shuffle;
    this.seed = seed;
    int whole = data.size() / batchSize;
    stepsPerEpoch = dropLast || data.size() % batchSize == 0 ? whole : whole + 1;
    if (stepsPerEpoch == 0) {
      throw new DataException(
          "%s: batch_size=%d with drop_last leaves no batch; use a batch_size of at most %d or no drop_last"
              .formatted(data, batchSize, data.size()));
    }
    samplesPerEpoch = dropLast ? whole * batchSize : data.size();
    order = new int[data.size()];
    delivered = samplesPerEpoch;
  }

  /** Makes the order of an epoch and begins it. */
  public void startEpoch(int epoch) {
    for (int i = 0; i < order.length; i++) {
      order[i] = i;
    }
    if (shuffle) {
      new Philox(seed, Philox.Purpose.SHUFFLE, epoch).shuffle(order);
    }
    delivered = 0;
  }

  /**
   * Gathers the next batch; both buffers are left flipped, from 0 to what was written.
   *
   * @param images receives bytes [n, C, H, W]; has room for a full batch
   * @param labels receives n ints in native order; has room for a full batch
   * @return n, the samples in this batch; 0 when no epoch has begun or it has ended
   */
  public int next(ByteBuffer images, ByteBuffer labels) {
    if (labels.order() != ByteOrder.nativeOrder()) {
      throw new IllegalArgumentException("labels need a buffer in native order");
    }
    int n = Math.min(batchSize, samplesPerEpoch - delivered);
    images.clear();
    labels.clear();
    for (int i = delivered; i < delivered + n; i++) {
      data.copyImage(order[i], images);
      labels.putInt(data.label(order[i]));
    }
    images.flip();
    labels.flip();
    delivered += n;
    return n;
  }

  /** Batches of one epoch, the last one included. */
  public int stepsPerEpoch() {
    return stepsPerEpoch;
  }

  /** Samples of one epoch. */
  public int samplesPerEpoch() {
    return samplesPerEpoch;
  }
}
