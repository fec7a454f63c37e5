package convtrain.data;

import convtrain.graph.Philox;

/**
 * The order of the samples in each epoch. It depends only on the seed and the epoch's number, so a
 * resumed run sees the batches it would have seen.
 */
public final class Sampler {
  private final boolean shuffle;
  private final long seed;
  private final int stepsPerEpoch;
  private final int samplesPerEpoch;
  private final int[] order;

  /**
   * @param batchSize samples of a batch; the last of an epoch may have fewer
   * @param shuffle whether each epoch has an order of its own, or else the data's
   * @param dropLast whether a last batch of fewer samples is left out
   * @param seed the run's seed
   */
  public Sampler(Dataset data, int batchSize, boolean shuffle, boolean dropLast, long seed) {
    if (batchSize < 1) {
      throw new IllegalArgumentException("batch_size=" + batchSize + "; expected at least 1");
    }
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
  }

  /**
   * The indices of the data's samples in the order of an epoch, which takes the first {@link
   * #samplesPerEpoch}; the array is overwritten by the next call.
   */
  public int[] order(int epoch) {
    for (int i = 0; i < order.length; i++) {
      order[i] = i;
    }
    if (shuffle) {
      new Philox(seed, Philox.Purpose.SHUFFLE, epoch).shuffle(order);
    }
    return order;
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
