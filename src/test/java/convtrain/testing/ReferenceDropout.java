package convtrain.testing;

import convtrain.graph.Philox;
import convtrain.graph.Shape;

/**
 * Which elements dropout drops, element by element from the documented contract: byte e % 16 of the
 * Philox block (e / 16, step, layer, DROPOUT) against 256 p, ties by 53 bits of (e, step, layer,
 * DROPOUT_TIE); e counts in [N, H, W, C] order.
 */
public final class ReferenceDropout {
  private static final long LOW = 0xFFFFFFFFL;

  private ReferenceDropout() {}

  /** 0 or 1 / (1 - p) for each element [N, C, H, W]. */
  public static double[] factors(long seed, long step, int layer, double p, int n, Shape sample) {
    float[] nhwc = new float[n * sample.elements()];
    for (int e = 0; e < nhwc.length; e++) {
      nhwc[e] = dropped(seed, step, layer, p, e) ? 0 : 1;
    }
    double[] factors = DeviceFloats.fromDevice(nhwc, sample);
    for (int i = 0; i < factors.length; i++) {
      factors[i] *= 1 / (1 - p);
    }
    return factors;
  }

  private static boolean dropped(long seed, long step, int layer, double p, int e) {
    long[] words = philox(seed, e / 16, step, layer, Philox.Purpose.DROPOUT.ordinal());
    long value = words[e % 16 / 4] >> 8 * (e % 4) & 0xFF;
    double threshold = Math.floor(256 * p);
    if (value != threshold) {
      return value < threshold;
    }
    long[] tie = philox(seed, e, step, layer, Philox.Purpose.DROPOUT_TIE.ordinal());
    return ((tie[0] << 21) + (tie[1] >> 11)) / Math.pow(2, 53) < 256 * p - threshold;
  }

  /** Philox 4x32-10 on unsigned words held in longs. */
  private static long[] philox(long key, long c0, long c1, long c2, long c3) {
    long[] c = {c0 & LOW, c1 & LOW, c2 & LOW, c3 & LOW};
    long k0 = key & LOW;
    long k1 = key >>> 32;
    for (int round = 0; round < 10; round++) {
      long a = 0xD2511F53L * c[0];
      long b = 0xCD9E8D57L * c[2];
      c = new long[] {b >>> 32 ^ c[1] ^ k0, b & LOW, a >>> 32 ^ c[3] ^ k1, a & LOW};
      k0 = k0 + 0x9E3779B9L & LOW;
      k1 = k1 + 0xBB67AE85L & LOW;
    }
    return c;
  }
}
