package convtrain.backend.cpu.op;

import convtrain.backend.OpFactory.RandomState;
import convtrain.backend.cpu.dnnl.CpuBuffer;
import convtrain.backend.cpu.dnnl.Workers;
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
 * <p>Contract, equal on every backend: with elements counted in [N, H, W, C] order, element e is
 * decided by byte e % 16 (little-endian) of the Philox block (e / 16, step, layer, DROPOUT) under
 * the run's seed: dropped if the byte is below T = floor(256 p), kept if above. A byte equal to T
 * is decided by 53 bits of a block of its own, (e, step, layer, DROPOUT_TIE): dropped if their
 * value in [0, 1) is below 256 p - T. So the probability is p to 2^-53, at one block per 16
 * elements.
 */
public final class DropoutMasks {
  private static final int CHUNK = 4096;
  private static final int PER_BLOCK = 16;
  private static final int BLOCKS = CHUNK / PER_BLOCK;
  private static final long ONES = 0x0101010101010101L;
  private static final long LOW_BITS = 0x7F * ONES;
  private static final long TOP_BITS = 0x80 * ONES;

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

  /** Chunks are dealt out in turn, so that every part gets its share of each layer. */
  private void drawPart(int part, int parts) {
    Words words = scratch[part];
    for (int m = 0; m < masks.size(); m++) {
      Mask mask = masks.get(m);
      for (int chunk = part; chunk < mask.chunks; chunk += parts) {
        mask.drawChunk(chunk, (int) step, words);
      }
    }
  }

  /** One thread's random words: those of a chunk's blocks. */
  private static final class Words {
    private final long[] a = new long[BLOCKS];
    private final long[] b = new long[BLOCKS];
    private final long[] c = new long[BLOCKS];
    private final long[] d = new long[BLOCKS];
    private final int[] tie = new int[4];
  }

  /** The dropped elements of one tensor. */
  static final class Mask {
    private final long seed;
    private final int layer;
    private final int threshold;
    private final double tie;
    private final int elements;
    private final int chunks;
    private final int capacity;
    private final short[] dropped;
    private final int[] counts;

    Mask(long seed, int layer, double p, int elements) {
      this.seed = seed;
      this.layer = layer;
      this.threshold = (int) Math.floor(256 * p);
      this.tie = 256 * p - threshold;
      this.elements = elements;
      this.chunks = (elements + CHUNK - 1) / CHUNK;
      // Twelve standard deviations above the mean: exceeded with probability below 1e-30.
      double room = CHUNK * p + 12 * Math.sqrt(CHUNK * p * (1 - p)) + 16;
      this.capacity = (int) Math.min(CHUNK, room);
      this.dropped = new short[Math.multiplyExact(chunks, capacity)];
      this.counts = new int[chunks];
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
      int start = chunk * CHUNK;
      int first = chunk * capacity;
      Philox.blocks(
          seed,
          start / PER_BLOCK,
          step,
          layer,
          Philox.Purpose.DROPOUT.ordinal(),
          BLOCKS,
          words.a,
          words.b,
          words.c,
          words.d);
      int next = first;
      for (int block = 0; block < BLOCKS; block++) {
        int e = start + block * PER_BLOCK;
        next = select(words.a[block] | words.b[block] << 32, e, start, step, words, next);
        next = select(words.c[block] | words.d[block] << 32, e + 8, start, step, words, next);
      }
      // The last blocks may reach beyond the tensor.
      while (next > first && start + dropped[next - 1] >= elements) {
        next--;
      }
      counts[chunk] = next - first;
    }

    /**
     * Appends those of eight elements whose byte is at most the threshold. The bytes are compared
     * all at once: with 127 - T added to its low seven bits, a byte's top bit stays clear only if
     * the byte is at most T; for T above 127 the comparison is byte by byte.
     */
    private int select(long bytes, int e, int start, int step, Words words, int next) {
      int end = next;
      long hits =
          threshold > 127
              ? TOP_BITS
              : ~((bytes & LOW_BITS) + (127 - threshold) * ONES | bytes) & TOP_BITS;
      while (hits != 0) {
        int i = Long.numberOfTrailingZeros(hits) >>> 3;
        hits &= hits - 1;
        int value = (int) (bytes >>> 8 * i) & 0xFF;
        if (value < threshold || value == threshold && falls(e + i, step, words.tie)) {
          dropped[end++] = (short) (e + i - start);
        }
      }
      return end;
    }

    private boolean falls(int e, int step, int[] block) {
      Philox.block(seed, e, step, layer, Philox.Purpose.DROPOUT_TIE.ordinal(), block);
      return Philox.unit(block[0], block[1]) < tie;
    }
  }

  /** 1 / (1 - p): what the kept elements are multiplied by. */
  static float scale(double p) {
    return (float) (1 / (1 - p));
  }
}
