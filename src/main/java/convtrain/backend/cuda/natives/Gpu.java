package convtrain.backend.cuda.natives;

import java.util.Locale;

/**
 * A GPU.
 *
 * @param index as the driver counts
 * @param computeCapability such as {@code 9.0}
 */
public record Gpu(int index, String name, String computeCapability, long memoryBytes) {
  /** For example {@code cuda:0 NVIDIA H100 80GB HBM3, compute capability 9.0, 79.1 GiB}. */
  @Override
  public String toString() {
    return String.format(
        Locale.ROOT,
        "cuda:%d %s, compute capability %s, %.1f GiB",
        index,
        name,
        computeCapability,
        memoryBytes / 0x1p30);
  }
}
