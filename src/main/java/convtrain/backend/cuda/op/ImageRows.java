package convtrain.backend.cuda.op;

import convtrain.backend.cuda.device.Kernel;
import convtrain.backend.cuda.device.Launch;
import convtrain.graph.Shape;

/**
 * The launch geometry of kernels that write images [N, H, W, C] a row at a time: one block for each
 * row and for as many packs of its channels as a block has threads.
 */
final class ImageRows {
  private static final int MOST_THREADS = 256;
  private static final int WARP = 32;

  private ImageRows() {}

  /**
   * @param n images written
   * @param written their shape
   * @param width elements of a pack
   */
  static Launch launch(Kernel kernel, int n, Shape written, int width, Object... arguments) {
    int rows = Math.multiplyExact(n, written.height());
    int packs = written.width() * written.channels() / width;
    int threads = Math.min((packs + WARP - 1) / WARP * WARP, MOST_THREADS);
    return kernel.launch(rows, (packs + threads - 1) / threads, 1, threads, 1, 1, 0, arguments);
  }
}
