package convtrain.backend.cuda.op;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import convtrain.backend.BackendException;
import convtrain.backend.Owned;
import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.natives.CacheFolder;
import convtrain.backend.cuda.natives.NativeLibraries;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import convtrain.testing.DeviceFloats;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;

/** Ops of the CUDA backend one by one, on one context; skipped where no device is. */
abstract class OpTest {
  @TempDir static Path cacheFolder;

  private static CudaContext cuda;

  private final Owned owned = new Owned();

  @BeforeAll
  static void openContext() {
    try {
      NativeLibraries.load();
    } catch (BackendException e) {
      Assumptions.abort("no CUDA device here: " + e.getMessage());
    }
    cuda = new CudaContext(true, new CacheFolder(cacheFolder));
  }

  @AfterAll
  static void closeContext() {
    if (cuda != null) {
      cuda.close();
      cuda = null;
    }
  }

  @AfterEach
  void release() {
    owned.close();
  }

  static CudaContext cuda() {
    return cuda;
  }

  /** Closed after the test. */
  <T extends AutoCloseable> T own(T resource) {
    return owned.add(resource);
  }

  /** NaN in every element, as memory is that nobody wrote; null for no bytes. */
  CudaBuffer spoilt(long bytes) {
    if (bytes == 0) {
      return null;
    }
    CudaBuffer made = own(cuda.allocate(bytes));
    DeviceFloats.spoil(made);
    return made;
  }

  CudaBuffer floats(double[] values) {
    CudaBuffer made = own(cuda.allocate((long) values.length * Float.BYTES));
    DeviceFloats.write(DeviceFloats.floats(values), made);
    return made;
  }

  /** Images [N, C, H, W] as a device holds them, rounded to the precision. */
  CudaBuffer images(Precision precision, double[] nchw, Shape sample) {
    try (CudaBuffer wide = cuda.allocate((long) nchw.length * Float.BYTES)) {
      DeviceFloats.write(DeviceFloats.toDevice(nchw, sample), wide);
      CudaBuffer made = own(cuda.allocate((long) nchw.length * precision.elementBytes()));
      Cast.fromFloat(cuda, precision, wide, made, nchw.length).enqueue();
      cuda.synchronize();
      return made;
    }
  }

  /** [N, C, H, W] of images on the device. */
  static double[] fetch(Precision precision, CudaBuffer images, Shape sample) {
    int count = Math.toIntExact(images.bytes() / precision.elementBytes());
    try (CudaBuffer wide = cuda.allocate((long) count * Float.BYTES)) {
      Cast.toFloat(cuda, precision, images, wide, count).enqueue();
      cuda.synchronize();
      return DeviceFloats.fromDevice(DeviceFloats.read(wide), sample);
    }
  }

  /** Random values that the precision holds exactly: multiples of 1/16 of at most 7 bits. */
  static double[] values(int count, Random random) {
    double[] values = new double[count];
    for (int i = 0; i < count; i++) {
      values[i] = (random.nextInt(127) - 63) / 16.0;
    }
    return values;
  }

  /** Half a unit in the last place of each precision's results, and what fp32 sums add to it. */
  static void assertClose(String what, Precision precision, double[] found, double[] expected) {
    assertClose(what, precision, 1, found, expected);
  }

  /**
   * @param amplification of what was rounded before, at most
   */
  static void assertClose(
      String what, Precision precision, int amplification, double[] found, double[] expected) {
    double bound =
        switch (precision) {
          case FP32 -> 4e-6;
          case TF32 -> 1e-3;
          case FP16 -> 0x1p-10;
          case BF16 -> 0x1p-7;
        };
    double largest = 0;
    for (double value : expected) {
      largest = Math.max(largest, Math.abs(value));
    }
    assertThat(found).as(what).hasSameSizeAs(expected);
    for (int i = 0; i < found.length; i++) {
      assertThat(found[i])
          .as("%s[%d] of %d", what, i, found.length)
          .isCloseTo(
              expected[i],
              within(amplification * bound * Math.max(Math.abs(expected[i]), largest / 10)));
    }
  }
}
