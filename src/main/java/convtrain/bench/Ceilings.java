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

  /** Of the host's time: from here on a larger product is no faster, and takes too long. */
  private static final double LONG_SECONDS = 0.05;

  private static final long SPENT_NANOS = 200_000_000;
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
    Least least = new Least(0, 0);
    for (int n = SMALLEST_ORDER; n <= LARGEST_ORDER && least.hostSeconds < LONG_SECONDS; n *= 2) {
      try (Backend.Yardstick product = backend.product(n)) {
        least = Least.of(product);
        flops = Math.max(flops, 2.0 * n * n * n / least.seconds);
      } catch (DeviceMemoryException e) {
        break;
      }
    }
    try (Backend.Yardstick copy = backend.copy(copiedBytes)) {
      return new Ceilings(flops, 2.0 * copiedBytes / Least.of(copy).seconds);
    }
  }

  /**
   * The least that a run took, since what disturbs only makes longer.
   *
   * @param seconds by the device's clock
   * @param hostSeconds by the host's
   */
  private record Least(double seconds, double hostSeconds) {
    /** Of as many runs as go into a while, after one that is not counted. */
    static Least of(Backend.Yardstick work) {
      work.seconds();
      double seconds = Double.POSITIVE_INFINITY;
      double hostSeconds = Double.POSITIVE_INFINITY;
      long started = System.nanoTime();
      for (int run = 0; run < LEAST_RUNS || System.nanoTime() - started < SPENT_NANOS; run++) {
        long before = System.nanoTime();
        seconds = Math.min(seconds, work.seconds());
        hostSeconds = Math.min(hostSeconds, (System.nanoTime() - before) / 1e9);
      }
      return new Least(seconds, hostSeconds);
    }
  }
}
