package convtrain.backend.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.backend.Backend;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.Op;
import convtrain.graph.Precision;
import convtrain.testing.DeviceFloats;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What kernels read and round of 16-bit elements, over all of their bit patterns. */
class HalfRoundingTest {
  private static final int PATTERNS = 1 << 16;

  @ParameterizedTest
  @EnumSource(names = {"FP16", "BF16"})
  void sumsAreRoundedToTheNearestEvenElement(Precision precision) {
    ByteBuffer all = DeviceFloats.host(PATTERNS * Short.BYTES);
    ByteBuffer shuffled = DeviceFloats.host(PATTERNS * Short.BYTES);
    for (int i = 0; i < PATTERNS; i++) {
      all.putShort((short) i);
      // An odd factor meets every pattern once; nearby magnitudes are what rounds.
      shuffled.putShort((short) (i % 2 == 0 ? i * 40_503 + 12_345 : i + 0x8000 - 64));
    }
    float[] a = decode(precision, all);
    float[] b = decode(precision, shuffled);
    float[] found = decode(precision, sum(precision, all.flip(), shuffled.flip()));
    TreeMap<Double, Integer> elements = finiteElements(precision, a);
    for (int i = 0; i < PATTERNS; i++) {
      // Boxed, so that NaN equals NaN and the zeros differ.
      Float expected = nearest(elements, a[i] + b[i]);
      assertThat((Float) found[i]).as("%s + %s", a[i], b[i]).isEqualTo(expected);
    }
  }

  private static float[] decode(Precision precision, ByteBuffer elements) {
    float[] values = new float[PATTERNS];
    precision.decode(elements, values, PATTERNS);
    return values;
  }

  private static ByteBuffer sum(Precision precision, ByteBuffer a, ByteBuffer b) {
    ByteBuffer read = DeviceFloats.host(PATTERNS * Short.BYTES);
    try (Backend backend = CudaDevice.open(precision);
        DeviceBuffer x0 = backend.allocate(read.capacity());
        DeviceBuffer x1 = backend.allocate(read.capacity());
        DeviceBuffer y = backend.allocate(read.capacity());
        Op sum = backend.ops(1, true).sum(List.of(x0, x1), y)) {
      x0.write(0, a);
      x1.write(0, b);
      sum.forward();
      backend.synchronize();
      y.read(0, read);
    }
    return read;
  }

  /**
   * Every number that the precision holds, with its bits; the larger of two zeros stands for both.
   */
  private static TreeMap<Double, Integer> finiteElements(Precision precision, float[] decoded) {
    TreeMap<Double, Integer> elements = new TreeMap<>();
    for (int bits = 0; bits < PATTERNS; bits++) {
      if (Float.isFinite(decoded[bits])) {
        elements.put(decoded[bits] + 0.0, bits);
      }
    }
    assertThat(elements).as(precision.word()).hasSizeGreaterThan(PATTERNS / 2);
    return elements;
  }

  private static float nearest(TreeMap<Double, Integer> elements, float value) {
    if (Float.isNaN(value)) {
      return value;
    }
    double largest = elements.lastKey();
    double spacing = largest - elements.lowerKey(largest);
    if (Math.abs((double) value) >= largest + spacing / 2) {
      return Math.copySign(Float.POSITIVE_INFINITY, value);
    }
    Map.Entry<Double, Integer> below = elements.floorEntry((double) value);
    Map.Entry<Double, Integer> above = elements.ceilingEntry((double) value);
    if (below == null || above == null) {
      return (float) Math.copySign(largest, value);
    }
    double down = value - below.getKey();
    double up = above.getKey() - value;
    boolean takeBelow = down == up ? below.getValue() % 2 == 0 : down < up;
    float rounded = (takeBelow ? below : above).getKey().floatValue();
    return rounded == 0 ? Math.copySign(0f, value) : rounded;
  }
}
