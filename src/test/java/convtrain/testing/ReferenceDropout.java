package convtrain.testing;

import convtrain.graph.Philox;
import convtrain.graph.Shape;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;

/**
 * Which elements dropout drops, from {@link convtrain.graph.DropoutDraw}'s documented contract
 * alone: how many of a group of 32 by the binomial distribution's tails, which of them by five-bit
 * positions; elements count in [N, H, W, C] order.
 */
public final class ReferenceDropout {
  private static final int DROPOUT = Philox.Purpose.DROPOUT.ordinal();
  private static final long LOW = 0xFFFFFFFFL;

  private ReferenceDropout() {}

  /** 0 or 1 / (1 - p) for each element [N, C, H, W]. */
  public static double[] factors(long seed, long step, int layer, double p, int n, Shape sample) {
    float[] nhwc = new float[n * sample.elements()];
    Arrays.fill(nhwc, 1);
    for (int group = 0; 32 * group < nhwc.length; group++) {
      for (int member : fallen(seed, step, layer, p, group)) {
        if (32 * group + member < nhwc.length) {
          nhwc[32 * group + member] = 0;
        }
      }
    }
    double[] factors = DeviceFloats.fromDevice(nhwc, sample);
    for (int i = 0; i < factors.length; i++) {
      factors[i] *= 1 / (1 - p);
    }
    return factors;
  }

  /** Members of a group that fall, each in 0 .. 31. */
  private static Set<Integer> fallen(long seed, long step, int layer, double p, int group) {
    long[] r = philox(seed, group, step, layer, DROPOUT);
    double q = Math.min(p, 1 - p);
    int k = 0;
    while (k < 32 && r[0] < Math.rint(Math.pow(2, 32) * moreThan(k, q))) {
      k++;
    }
    Set<Integer> chosen = new HashSet<>();
    for (int i = 0; i < 32 && k > 10; i++) {
      if ((r[3] >> i & 1) == 1) {
        chosen.add(i);
      }
    }
    for (int i = 0; chosen.size() != k; i++) {
      long word = r[1 + i / 6 % 2];
      if (i >= 12) {
        int block = (i - 12) / 24;
        word = philox(seed, group, step, layer, DROPOUT + 256 * (block + 1))[(i - 12) / 6 % 4];
      }
      int position = (int) (word >> 5 * (i % 6) & 31);
      if (chosen.size() < k) {
        chosen.add(position);
      } else {
        chosen.remove(position);
      }
    }
    if (p <= 0.5) {
      return chosen;
    }
    Set<Integer> others = new HashSet<>();
    for (int i = 0; i < 32; i++) {
      others.add(i);
    }
    others.removeAll(chosen);
    return others;
  }

  /** P(Binomial(32, q) &gt; k), from the terms' closed form. */
  private static double moreThan(int k, double q) {
    double sum = 0;
    for (int i = 32; i > k; i--) {
      double ways = 1;
      for (int j = 0; j < i; j++) {
        ways = ways * (32 - j) / (j + 1);
      }
      sum += ways * Math.pow(q, i) * Math.pow(1 - q, 32 - i);
    }
    return sum;
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
