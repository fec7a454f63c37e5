package convtrain.bench;

import convtrain.backend.Backend;
import convtrain.backend.DeviceMemoryException;

/**
 * What a device does at most, measured: the fastest product of two square matrices in the run's
 * precision (2 order^3 FLOP each), and a large copy in its memory, whose bytes count twice, read
 * and written.
 */
public record Ceilings(double flopsPerSecond, double bytesPerSecond) {
  private static final int SMALLEST_ORDER = 128;
  private static final int LARGEST_ORDER = 8192;
  private static final long COPIED_BYTES = 256L << 20;

  /** From here on a larger product is no faster. */
  private static final double LONG_SECONDS = 0.05;

  private static final double SPENT_SECONDS = 0.2;
  private static final int LEAST_RUNS = 3;

  /** Takes a second or two. */
  public static Ceilings measure(Backend backend) {
    return measure(backend, COPIED_BYTES);
  }

  /**
   * The same with a copy of another size.
   *
   * @param copiedBytes more than any cache holds, for the memory's own rate
   */
  static Ceilings measure(Backend backend, long copiedBytes) {
    double flops = 0;
    double seconds = 0;
    for (int n = SMALLEST_ORDER; n <= LARGEST_ORDER && seconds < LONG_SECONDS; n *= 2) {
      try (Backend.Yardstick product = backend.product(n)) {
        seconds = least(product);
        flops = Math.max(flops, 2.0 * n * n * n / seconds);
      } catch (DeviceMemoryException e) {
        break;
      }
    }
    try (Backend.Yardstick copy = backend.copy(copiedBytes)) {
      return new Ceilings(flops, 2.0 * copiedBytes / least(copy));
    }
  }

  /** Of several runs after one that is not counted; what disturbs only makes longer. */
  private static double least(Backend.Yardstick work) {
    work.seconds();
    double least = Double.POSITIVE_INFINITY;
    double spent = 0;
    for (int run = 0; run < LEAST_RUNS || spent < SPENT_SECONDS; run++) {
      double seconds = work.seconds();
      least = Math.min(least, seconds);
      spent += seconds;
    }
    return least;
  }
}
