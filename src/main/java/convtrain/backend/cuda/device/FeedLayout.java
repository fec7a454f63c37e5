package convtrain.backend.cuda.device;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Where the staging kernel finds the samples of a pass. It reads this from device memory, so that a
 * captured step serves every pass, of both placements:
 *
 * <pre>
 * word  0       1       2      3             4      5                6                7           8
 *       images  labels  order  stride bytes  slots  samples staged   batches staged   batch size  epoch
 * </pre>
 *
 * With an order, sample n of a batch is number {@code order[samples staged + n]} of all images and
 * labels. Without one it is the n-th of slot {@code batches staged % slots}, whose images and
 * labels begin that many strides behind the first's; the samples' indices in the data set stand a
 * full batch's labels behind the labels. The kernel advances words 5 and 6.
 *
 * @param images address of bytes [.., C, H, W]
 * @param labels address of ints
 * @param order address of ints, or 0
 */
record FeedLayout(long images, long labels, long order, long strideBytes, long slots) {
  static final int BYTES = 9 * Long.BYTES;

  /** Puts it where the kernel reads it, with nothing staged yet. */
  void write(CudaBuffer state, int batchSize, int epoch) {
    ByteBuffer words = ByteBuffer.allocate(BYTES).order(ByteOrder.nativeOrder());
    words.putLong(images).putLong(labels).putLong(order).putLong(strideBytes).putLong(slots);
    words.putLong(0).putLong(0).putLong(batchSize).putLong(epoch);
    state.write(0, words.flip());
  }
}
