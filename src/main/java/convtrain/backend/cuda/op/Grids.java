package convtrain.backend.cuda.op;

import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.Launch;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import java.util.ArrayList;
import java.util.List;

/**
 * How work is dealt out to threads, see kernels/element.cuh and kernels/rows.cuh. A thread moves 16
 * bytes at a time wherever the sizes are multiples of that; all tensors start on 64-byte
 * boundaries.
 */
final class Grids {
  static final int THREADS = 256;
  private static final int ACCESS_BYTES = 16;

  /** Blocks that a multiprocessor holds at a time; further ones would only wait. */
  private static final int BLOCKS_PER_MULTIPROCESSOR = 4;

  private Grids() {}

  /** Elements per access: what each of the counts is a multiple of. */
  static int width(Precision precision, long... counts) {
    int full = ACCESS_BYTES / precision.elementBytes();
    for (long count : counts) {
      if (count % full != 0) {
        return 1;
      }
    }
    return full;
  }

  static long blocks(long threads) {
    return (threads + THREADS - 1) / THREADS;
  }

  /** What a kernel is compiled with; {@code more} are its own. */
  static String[] defines(Precision precision, int width, String... more) {
    List<String> defines = new ArrayList<>();
    defines.add("PRECISION=" + precision.ordinal());
    defines.add("WIDTH=" + width);
    defines.addAll(List.of(more));
    return defines.toArray(String[]::new);
  }

  /**
   * Elements in any order, a pack of {@code width} to each thread.
   *
   * @param elements a multiple of width
   */
  record Packs(CudaContext cuda, Precision precision, long elements, int width) {
    static Packs of(CudaContext cuda, Precision precision, long elements) {
      return new Packs(cuda, precision, elements, Grids.width(precision, elements));
    }

    /** How many there are: an argument of the kernels. */
    long count() {
      return elements / width;
    }

    Launch launch(String file, String function, Object... arguments) {
      return cuda.kernels()
          .get(file, function, defines(precision, width))
          .launch(blocks(count()), THREADS, arguments);
    }
  }

  /**
   * Images [N, H, W, C] that are written a row at a time: a block for each row, or several where a
   * row has more packs than a block has threads.
   *
   * @param n images written
   * @param image their shape
   * @param width divides their channels
   */
  record ImageRows(CudaContext cuda, Precision precision, int n, Shape image, int width) {
    private static final int WARP = 32;

    static ImageRows of(CudaContext cuda, Precision precision, int n, Shape image) {
      return new ImageRows(cuda, precision, n, image, Grids.width(precision, image.channels()));
    }

    /**
     * @param defines of this kernel, beside precision and width
     */
    Launch launch(String file, String function, List<String> defines, Object... arguments) {
      int rows = Math.multiplyExact(n, image.height());
      int packs = image.width() * image.channels() / width;
      int threads = Math.min((packs + WARP - 1) / WARP * WARP, THREADS);
      int blocksPerRow = (packs + threads - 1) / threads;
      return cuda.kernels()
          .get(file, function, defines(precision, width, defines.toArray(String[]::new)))
          .launch(rows, blocksPerRow, 1, threads, 1, 1, 0, arguments);
    }
  }

  /**
   * A matrix whose threads keep their channels and walk down the rows.
   *
   * @param rows N H W
   * @param channels a multiple of width
   */
  record Rows(CudaContext cuda, Precision precision, long rows, int channels, int width) {
    static Rows of(CudaContext cuda, Precision precision, long rows, int channels) {
      return new Rows(cuda, precision, rows, channels, Grids.width(precision, channels));
    }

    /** Block columns. */
    int tiles() {
      return (int) blocks(channels / width);
    }

    /** Blocks of each block column. */
    int blocksPerTile() {
      int rowsAtOnce = THREADS / Math.min(THREADS, channels / width);
      long wanted = (rows + rowsAtOnce - 1) / rowsAtOnce;
      int resident = BLOCKS_PER_MULTIPROCESSOR * cuda.info().multiprocessors();
      return (int) Math.max(1, Math.min(wanted, resident / tiles()));
    }

    /** What blocks hand to the one that adds up. */
    long partialBytes(int sums) {
      return (long) blocksPerTile() * sums * channels * Double.BYTES;
    }

    /** The tickets by which a block learns that it is the last. */
    long ticketBytes() {
      return (long) tiles() * Integer.BYTES;
    }

    Launch launch(String file, String function, Object... arguments) {
      return cuda.kernels()
          .get(file, function, defines(precision, width))
          .launch(blocksPerTile(), tiles(), 1, THREADS, 1, 1, 0, arguments);
    }
  }
}
