package convtrain.graph;

/**
 * Which elements dropout drops. The contract, equal to the bit on every backend
 * (kernels/dropout.cuh computes the same): elements are counted in [N, H, W, C] order and decided
 * in groups of 32. Let q = min(p, 1 - p), and r the Philox block (g, batch, layer, DROPOUT) of
 * group g under the run's seed, batches counted by the run's clock, of which the low 32 bits count.
 *
 * <ul>
 *   <li>How many of a group are chosen: k = the number of i with r0 &lt; T[i], where T[i] =
 *       round(2^32 P(Binomial(32, q) &gt; i)). So the probability is exact to 2^-32.
 *   <li>Which: start from the empty set or, if k &gt; 10, from the bits that are set in r3. While
 *       the set has too few members, the next position joins (or is there already); while it has
 *       too many, the next position leaves (or is not there). Positions are five-bit fields, lowest
 *       first, six to a word: those of r1, of r2, then of all four words of the blocks (g, batch,
 *       layer, DROPOUT + 256 j), j = 1, 2, ...; purposes are below 256, so these are no other's.
 *   <li>The chosen fall; where p &gt; 1/2 the chosen stay.
 * </ul>
 *
 * What stays is multiplied by 1 / (1 - p). Every subset of k is equally likely, whichever rule
 * starts it, since no position is special. At p = 0.04 a group chooses 1.3 elements, so one block
 * per 32 elements is all it takes.
 */
public final class DropoutDraw {
  /** Elements that are decided together. */
  public static final int GROUP = 32;

  /** With more than this many members, fewer positions are needed from a random start. */
  private static final int FEW = 10;

  private static final int PURPOSE = Philox.Purpose.DROPOUT.ordinal();
  private static final int NEXT_BLOCK = 256;
  private static final int PER_WORD = 6;

  private final long seed;
  private final int layer;
  private final boolean chosenStay;
  private final long[] thresholds;

  /**
   * @param seed the run's seed
   * @param layer the dropout layer's index in the graph
   * @param p probability of dropping
   */
  public DropoutDraw(long seed, int layer, double p) {
    this.seed = seed;
    this.layer = layer;
    chosenStay = chosenStay(p);
    thresholds = thresholds(p);
  }

  /** T, of which each fits 32 bits. */
  public static long[] thresholds(double p) {
    return thresholds(GROUP, Math.min(p, 1 - p));
  }

  /**
   * Thresholds T[0] &gt;= T[1] &gt;= ...: a uniform word u in [0, 2^32) is below exactly k of them
   * with the probability that k of {@code n} events happen; T[i] = round(2^32 P(more than i)).
   *
   * @param q probability of one event, at most a half, so that every threshold fits 32 bits
   * @return n thresholds
   */
  static long[] thresholds(int n, double q) {
    if (!(q >= 0 && q <= 0.5)) {
      throw new IllegalArgumentException("q=" + q + " is not in [0, 0.5]");
    }
    double[] exactly = new double[n + 1];
    exactly[0] = 1;
    for (int events = 1; events <= n; events++) {
      for (int k = events; k > 0; k--) {
        exactly[k] = exactly[k] * (1 - q) + exactly[k - 1] * q;
      }
      exactly[0] *= 1 - q;
    }
    long[] thresholds = new long[n];
    double more = 0;
    for (int i = n - 1; i >= 0; i--) {
      more += exactly[i + 1];
      thresholds[i] = Math.round(more * 0x1p32);
    }
    return thresholds;
  }

  /** Whether the chosen stay, rather than fall. */
  public static boolean chosenStay(double p) {
    return p > 0.5;
  }

  /** 1 / (1 - p): what the elements that stay are multiplied by. */
  public static float scale(double p) {
    return (float) (1 / (1 - p));
  }

  /**
   * The blocks r of some groups that follow each other.
   *
   * @param r01 receives r0 in the upper half, r1 in the lower; r23 the others alike
   */
  public void blocks(int batch, int group, int count, long[] r01, long[] r23) {
    Philox.blocks(seed, group, batch, layer, PURPOSE, count, r01, r23);
  }

  /**
   * Which of a group fall, bit i for its element i; allocates nothing.
   *
   * @param batch how many were trained on before it
   * @param r01 the group's block, as {@link #blocks} gives it; so is r23
   * @param more room for four words
   */
  public int fallen(int batch, int group, long r01, long r23, int[] more) {
    int k = 0;
    while (k < GROUP && r01 >>> 32 < thresholds[k]) {
      k++;
    }
    int set = k > FEW ? (int) r23 : 0;
    int positions = (int) r01;
    int left = PER_WORD;
    int extra = -1;
    for (int size = Integer.bitCount(set); size != k; size = Integer.bitCount(set)) {
      if (left-- == 0) {
        positions = extra < 0 ? (int) (r23 >>> 32) : extraWord(batch, group, extra, more);
        left = PER_WORD - 1;
        extra++;
      }
      int bit = 1 << positions;
      positions >>>= 5;
      set = size < k ? set | bit : set & ~bit;
    }
    return chosenStay ? ~set : set;
  }

  /** Words of positions beyond the group's own block, four to a block. */
  private int extraWord(int batch, int group, int index, int[] block) {
    if (index % 4 == 0) {
      Philox.block(seed, group, batch, layer, PURPOSE + NEXT_BLOCK * (index / 4 + 1), block);
    }
    return block[index % 4];
  }
}
