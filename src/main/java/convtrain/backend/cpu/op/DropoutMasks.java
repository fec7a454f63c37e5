package convtrain.backend.cpu.op;

import convtrain.backend.OpFactory.RandomState;
import convtrain.backend.cpu.dnnl.CpuBuffer;
import convtrain.backend.cpu.dnnl.Workers;
import convtrain.graph.Binomial;
import convtrain.graph.Philox;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The dropout masks of one plan, drawn for all layers in one parallel pass at the start of a step:
 * masks depend on no data, so one wake-up of the workers serves the whole step.
 *
 * <p>A mask is kept as the list of dropped elements, 2 bytes each: with p = 0.04 that is 0.08 bytes
 * per element where a mask of floats would cost 4, and applying it touches only what falls.
 *
 * <p>Contract, equal on every backend: elements are counted in [N, H, W, C] order and decided in
 * groups of 32. Let q = min(p, 1 - p), and r the Philox block (g, step, layer, DROPOUT) of group g
 * under the run's seed.
 *
 * <ul>
 *   <li>How many of a group are chosen: k = the number of i with r0 &lt; T[i], where T[i] =
 *       round(2^32 P(Binomial(32, q) &gt; i)). So the probability is exact to 2^-32.
 *   <li>Which: start from the empty set or, if k &gt; 10, from the bits that are set in r3. While
 *       the set has too few members, the next position joins (or is there already); while it has
 *       too many, the next position leaves (or is not there). Positions are five-bit fields, lowest
 *       first, six to a word: those of r1, of r2, then of all four words of the blocks (g, step,
 *       layer, DROPOUT + 256 j), j = 1, 2, ...
 *   <li>The chosen fall; where p &gt; 1/2 the chosen stay.
 * </ul>
 *
 * <p>Every subset of k is equally likely, whichever rule starts it, since no position is special.
 * At p = 0.04 a group chooses 1.3 elements, so one block per 32 elements is all it takes.
 */
public final class DropoutMasks {
  private static final int CHUNK = 4096;
  private static final int PER_GROUP = 32;
  private static final int GROUPS = CHUNK / PER_GROUP;
  private static final int PER_WORD = 6;

  /** With more than this many members, fewer positions are needed from a random start. */
  private static final int FEW = 10;

  /** The most members that are written without a loop. */
  private static final int AT_ONCE = 3;

  private final Workers workers;
  private final Words[] scratch;
  private final List<Mask> masks = new ArrayList<>();
  private ByteBuffer clock;
  private long step;
  private final Workers.Task drawAll = this::drawPart;

  /**
   * @param parts how many ways {@code workers} cuts a task
   */
  public DropoutMasks(Workers workers, int parts) {
    this.workers = workers;
    scratch = new Words[parts];
    Arrays.setAll(scratch, part -> new Words());
  }

  /**
   * A mask that each {@link #draw} renews.
   *
   * @param layer the dropout layer's index in the graph
   * @param p probability of dropping
   * @param elements N C H W of the tensor
   */
  Mask add(RandomState random, int layer, double p, int elements) {
    clock = ((CpuBuffer) random.clock()).asBytes();
    Mask mask = new Mask(random.seed(), layer, p, elements);
    masks.add(mask);
    return mask;
  }

  /** Draws every mask for the step that the run's clock shows. */
  void draw() {
    if (!masks.isEmpty()) {
      step = clock.getLong(0);
      workers.run(drawAll);
    }
  }

  /**
   * Each part draws one stretch of each layer's chunks: dealt out in turn, cores without a common
   * cache would pass the lines between two chunks to and fro, half as long again
   * (benchmarks/cpu.md).
   */
  private void drawPart(int part, int parts) {
    Words words = scratch[part];
    for (int m = 0; m < masks.size(); m++) {
      Mask mask = masks.get(m);
      int end = share(mask.chunks, part + 1, parts);
      for (int chunk = share(mask.chunks, part, parts); chunk < end; chunk++) {
        mask.drawChunk(chunk, (int) step, words);
      }
    }
  }

  /** Where a part's stretch begins. */
  private static int share(int count, int part, int parts) {
    return (int) ((long) count * part / parts);
  }

  /** One thread's random words: those of a chunk's groups. */
  private static final class Words {
    private final long[] r0 = new long[GROUPS];
    private final long[] r1 = new long[GROUPS];
    private final long[] r2 = new long[GROUPS];
    private final long[] r3 = new long[GROUPS];
    private final long[] sizes = new long[GROUPS];
    private final int[] more = new int[4];
  }

  /** The dropped elements of one tensor. */
  static final class Mask {
    private final long seed;
    private final int layer;
    private final boolean chosenStay;
    private final long[] thresholds;
    private final int elements;
    private final int chunks;
    private final int capacity;
    private final short[] dropped;
    private final int[] counts;
    private final int[] kept;

    Mask(long seed, int layer, double p, int elements) {
      this.seed = seed;
      this.layer = layer;
      this.chosenStay = p > 0.5;
      this.thresholds = Binomial.thresholds(PER_GROUP, Math.min(p, 1 - p));
      this.elements = elements;
      this.chunks = (elements + CHUNK - 1) / CHUNK;
      // Twelve standard deviations above the mean: exceeded with probability below 1e-30.
      double room = CHUNK * p + 12 * Math.sqrt(CHUNK * p * (1 - p)) + 16;
      this.capacity = (int) Math.min(CHUNK, room) + AT_ONCE;
      this.dropped = new short[Math.multiplyExact(chunks, capacity)];
      this.counts = new int[chunks];
      this.kept = new int[chunks * GROUPS];
    }

    /** Bit e % 32 of word e / 32 is set if element e stays. */
    int[] kept() {
      return kept;
    }

    /** Sets the dropped elements of a tensor to zero. */
    void zero(FloatBuffer tensor) {
      for (int chunk = 0; chunk < chunks; chunk++) {
        int start = chunk * CHUNK;
        int first = chunk * capacity;
        int end = first + counts[chunk];
        for (int i = first; i < end; i++) {
          tensor.put(start + dropped[i], 0f);
        }
      }
    }

    private void drawChunk(int chunk, int step, Words words) {
      int group = chunk * GROUPS;
      int begin = chunk * capacity;
      Philox.blocks(
          seed,
          group,
          step,
          layer,
          Philox.Purpose.DROPOUT.ordinal(),
          GROUPS,
          words.r0,
          words.r1,
          words.r2,
          words.r3);
      sizes(words.r0, words.r1, words.sizes);
      int end = begin;
      for (int i = 0; i < GROUPS; i++) {
        int size = (int) words.sizes[i];
        if (size > AT_ONCE || chosenStay) {
          int fallen = fallen(group + i, i, step, words);
          kept[group + i] = ~fallen;
          end = append(fallen, i * PER_GROUP, end);
        } else {
          // Three stores and no branch on the size; the next group's overwrite those too many.
          int first = (int) words.r1[i] & 31;
          int second = (int) words.r1[i] >>> 5 & 31;
          int third = (int) words.r1[i] >>> 10 & 31;
          kept[group + i] =
              ~(-size >>> 31 << first | 1 - size >>> 31 << second | 2 - size >>> 31 << third);
          dropped[end] = (short) (i * PER_GROUP + first);
          dropped[end + 1] = (short) (i * PER_GROUP + second);
          dropped[end + 2] = (short) (i * PER_GROUP + third);
          end += size;
        }
      }
      int limit = elements - chunk * CHUNK;
      counts[chunk] = (limit < CHUNK ? within(limit, begin, end) : end) - begin;
    }

    /**
     * Each group's k where that is at most {@link #AT_ONCE} and the first k positions differ,
     * something above it where a loop must decide. All in longs and without branches, so that the
     * compiler makes vector code of it: a difference's top bit is the answer of a comparison.
     */
    private void sizes(long[] r0, long[] r1, long[] sizes) {
      long t0 = thresholds[0];
      long t1 = thresholds[1];
      long t2 = thresholds[2];
      long t3 = thresholds[3];
      for (int i = 0; i < GROUPS; i++) {
        long u = r0[i];
        long some = u - t0 >>> 63;
        long two = u - t1 >>> 63;
        long three = u - t2 >>> 63;
        long four = u - t3 >>> 63;
        long w = r1[i];
        long same01 = ((w ^ w >>> 5) & 31) - 1 >>> 63;
        long same12 = ((w >>> 5 ^ w >>> 10) & 31) - 1 >>> 63;
        long same02 = ((w ^ w >>> 10) & 31) - 1 >>> 63;
        long loop = four | two & same01 | three & (same12 | same02);
        sizes[i] = some + two + three | loop << 2;
      }
    }

    /** Which of a group fall, as bits; i is the group's place among the chunk's words. */
    private int fallen(int group, int i, int step, Words words) {
      int k = 0;
      while (k < PER_GROUP && words.r0[i] < thresholds[k]) {
        k++;
      }
      int set = k > FEW ? (int) words.r3[i] : 0;
      int positions = (int) words.r1[i];
      int left = PER_WORD;
      int extra = -1;
      for (int size = Integer.bitCount(set); size != k; size = Integer.bitCount(set)) {
        if (left-- == 0) {
          positions = extra < 0 ? (int) words.r2[i] : extraWord(group, extra, step, words.more);
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
    private int extraWord(int group, int index, int step, int[] block) {
      if (index % 4 == 0) {
        int counter = Philox.Purpose.DROPOUT.ordinal() + 256 * (index / 4 + 1);
        Philox.block(seed, group, step, layer, counter, block);
      }
      return block[index % 4];
    }

    private int append(int set, int start, int end) {
      for (int rest = set; rest != 0; rest &= rest - 1) {
        dropped[end++] = (short) (start + Integer.numberOfTrailingZeros(rest));
      }
      return end;
    }

    /** Keeps those entries that lie inside the tensor; returns the new end. */
    private int within(int limit, int first, int end) {
      int kept = first;
      for (int i = first; i < end; i++) {
        if (dropped[i] < limit) {
          dropped[kept++] = dropped[i];
        }
      }
      return kept;
    }
  }

  /** 1 / (1 - p): what the kept elements are multiplied by. */
  static float scale(double p) {
    return (float) (1 / (1 - p));
  }
}
