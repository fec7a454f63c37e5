package convtrain.backend.cpu.op;

import convtrain.backend.Feed;
import convtrain.backend.Samples;
import convtrain.backend.cpu.dnnl.CpuBuffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Gathers each batch into memory that the staging ops read; the device's memory is the host's. */
public final class CpuFeed implements Feed {
  private final int batchSize;
  private final ByteBuffer images;
  private final ByteBuffer labels;
  private Samples samples;
  private int[] order = new int[0];
  private int count;
  private int epoch;
  private int first;
  private int delivered;

  public CpuFeed(int imageBytes, int batchSize) {
    this.batchSize = batchSize;
    images = ByteBuffer.allocateDirect(CpuBuffer.reachable((long) batchSize * imageBytes));
    labels =
        ByteBuffer.allocateDirect(Math.multiplyExact(batchSize, Integer.BYTES))
            .order(ByteOrder.nativeOrder());
  }

  @Override
  public void start(Samples samples, int[] order, int count, int epoch) {
    if (count > order.length) {
      throw new IllegalArgumentException(
          "count=%d; expected at most the %d of order".formatted(count, order.length));
    }
    this.samples = samples;
    if (this.order.length < count) {
      this.order = new int[count];
    }
    System.arraycopy(order, 0, this.order, 0, count);
    this.count = count;
    this.epoch = epoch;
    delivered = 0;
    first = 0;
  }

  @Override
  public int next() {
    int n = Math.min(batchSize, count - delivered);
    images.clear();
    first = delivered;
    for (int i = 0; i < n; i++) {
      int sample = order[delivered + i];
      samples.copyImage(sample, images);
      labels.putInt(i * Integer.BYTES, samples.label(sample));
    }
    delivered += n;
    return n;
  }

  /** Bytes [N, C, H, W] of the batch. */
  ByteBuffer images() {
    return images;
  }

  /** One int per sample of the batch, its class. */
  ByteBuffer labels() {
    return labels;
  }

  /** The pass's number. */
  int epoch() {
    return epoch;
  }

  /** The index of the batch's n-th sample in the pass's samples. */
  int sample(int n) {
    return order[first + n];
  }

  /** Batches are gathered from where the samples are. */
  @Override
  public long bytesFor(int... counts) {
    return 0;
  }

  /** The buffers are the garbage collector's. */
  @Override
  public void close() {}
}
