package convtrain.backend.cpu.op;

import convtrain.backend.RandomState;
import convtrain.backend.StepClock;
import convtrain.backend.cpu.dnnl.CpuBuffer;
import convtrain.backend.cpu.dnnl.TensorView;
import convtrain.backend.cpu.dnnl.Workers;
import convtrain.graph.DropoutDraw;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * The dropout masks of one plan. Each core draws what falls of its own samples and zeroes it, some
 * thousand elements at a time, in one pass: so a core touches the memory that it wrote last, the
 * list of what falls stays in its cache, and all that is kept for the backward pass is a bit an
 * element.
 *
 * <p>{@link DropoutDraw} says which elements fall, equal on every backend.
 */
public final class DropoutMasks {
  private static final int CHUNK = 4096;
  private static final int PER_GROUP = DropoutDraw.GROUP;
  private static final int GROUPS = CHUNK / PER_GROUP;

  /** The most members that are written without a loop. */
  private static final int AT_ONCE = 3;

  private final Workers workers;
  private final Lane[] lanes;
  private ByteBuffer clock;

  public DropoutMasks(Workers workers) {
    this.workers = workers;
    lanes = new Lane[workers.parts()];
    Arrays.setAll(lanes, part -> new Lane());
  }

  /**
   * The mask of one layer, another one in each step.
   *
   * @param layer the dropout layer's index in the graph
   * @param p probability of dropping
   * @param elements N C H W of the tensor
   */
  Mask add(RandomState random, int layer, double p, int elements) {
    clock = ((CpuBuffer) random.clock()).asBytes();
    return new Mask(random.seed(), layer, p, elements);
  }

  /** One thread's arrays: random words of a chunk's groups, and the chunk's dropped elements. */
  private static final class Lane {
    private final long[] r01 = new long[GROUPS];
    private final long[] r23 = new long[GROUPS];
    private final long[] sizes = new long[GROUPS];
    private final int[] more = new int[4];
    private final short[] dropped = new short[CHUNK + AT_ONCE];
  }

  /** Which elements of one tensor fall. */
  final class Mask {
    private final DropoutDraw draw;
    private final boolean chosenStay;
    private final long[] thresholds;
    private final int elements;
    private final int chunks;
    private final int[] kept;
    private final Workers.Task dropPart = this::dropPart;
    private final Workers.Task zeroPart = this::zeroPart;
    private int step;
    private TensorView tensor;
    private ReluBits bits;

    private Mask(long seed, int layer, double p, int elements) {
      this.draw = new DropoutDraw(seed, layer, p);
      this.chosenStay = DropoutDraw.chosenStay(p);
      this.thresholds = DropoutDraw.thresholds(p);
      this.elements = elements;
      this.chunks = (elements + CHUNK - 1) / CHUNK;
      this.kept = new int[Math.multiplyExact(chunks, GROUPS)];
    }

    /**
     * Draws the mask of the step that the run's clock shows and sets to zero what falls.
     *
     * @param y of as many elements as the mask, in [N, H, W, C] order
     * @param passed y's bits, of which those of dropped elements are cleared too, or null
     */
    void drop(TensorView y, ReluBits passed) {
      step = (int) clock.getLong(StepClock.BATCHES);
      tensor = y;
      bits = passed;
      workers.run(dropPart);
    }

    /** Sets to zero what fell in {@link #drop}. */
    void zero(TensorView dy) {
      tensor = dy;
      workers.run(zeroPart);
    }

    /** Each part takes one stretch of the chunks, as oneDNN's threads take the samples. */
    private void dropPart(int part, int parts) {
      Lane lane = lanes[part];
      int end = Workers.begin(chunks, part + 1, parts);
      for (int chunk = Workers.begin(chunks, part, parts); chunk < end; chunk++) {
        int count = drawChunk(chunk, lane);
        int start = chunk * CHUNK;
        for (int i = 0; i < count; i++) {
          tensor.zero(start + lane.dropped[i]);
        }
        if (bits != null) {
          bits.keep(kept, chunk * GROUPS, (chunk + 1) * GROUPS);
        }
      }
    }

    private void zeroPart(int part, int parts) {
      int words = (elements + PER_GROUP - 1) / PER_GROUP;
      int end = Workers.begin(words, part + 1, parts);
      for (int word = Workers.begin(words, part, parts); word < end; word++) {
        for (int rest = ~kept[word]; rest != 0; rest &= rest - 1) {
          int element = word * PER_GROUP + Integer.numberOfTrailingZeros(rest);
          if (element < elements) {
            tensor.zero(element);
          }
        }
      }
    }

    /** Puts a chunk's dropped elements, counted from its first, into the lane; returns how many. */
    private int drawChunk(int chunk, Lane lane) {
      short[] dropped = lane.dropped;
      int group = chunk * GROUPS;
      draw.blocks(step, group, GROUPS, lane.r01, lane.r23);
      sizes(lane.r01, lane.sizes);
      int end = 0;
      for (int i = 0; i < GROUPS; i++) {
        int size = (int) lane.sizes[i];
        if (size > AT_ONCE || chosenStay) {
          int fallen = draw.fallen(step, group + i, lane.r01[i], lane.r23[i], lane.more);
          kept[group + i] = ~fallen;
          end = append(fallen, i * PER_GROUP, dropped, end);
        } else {
          // Three stores and no branch on the size; the next group's overwrite those too many.
          int first = (int) lane.r01[i] & 31;
          int second = (int) lane.r01[i] >>> 5 & 31;
          int third = (int) lane.r01[i] >>> 10 & 31;
          kept[group + i] =
              ~(-size >>> 31 << first | 1 - size >>> 31 << second | 2 - size >>> 31 << third);
          dropped[end] = (short) (i * PER_GROUP + first);
          dropped[end + 1] = (short) (i * PER_GROUP + second);
          dropped[end + 2] = (short) (i * PER_GROUP + third);
          end += size;
        }
      }
      int limit = elements - chunk * CHUNK;
      return limit < CHUNK ? within(limit, dropped, end) : end;
    }

    /**
     * Each group's k where that is at most {@link #AT_ONCE} and the first k positions differ,
     * something above it where a loop must decide. All in longs and without branches, so that the
     * compiler makes vector code of it: a difference's top bit is the answer of a comparison.
     */
    private void sizes(long[] r01, long[] sizes) {
      long t0 = thresholds[0];
      long t1 = thresholds[1];
      long t2 = thresholds[2];
      long t3 = thresholds[3];
      for (int i = 0; i < GROUPS; i++) {
        long w = r01[i];
        long u = w >>> 32;
        long some = u - t0 >>> 63;
        long two = u - t1 >>> 63;
        long three = u - t2 >>> 63;
        long four = u - t3 >>> 63;
        long same01 = ((w ^ w >>> 5) & 31) - 1 >>> 63;
        long same12 = ((w >>> 5 ^ w >>> 10) & 31) - 1 >>> 63;
        long same02 = ((w ^ w >>> 10) & 31) - 1 >>> 63;
        long loop = four | two & same01 | three & (same12 | same02);
        sizes[i] = some + two + three | loop << 2;
      }
    }

    private static int append(int set, int start, short[] dropped, int end) {
      for (int rest = set; rest != 0; rest &= rest - 1) {
        dropped[end++] = (short) (start + Integer.numberOfTrailingZeros(rest));
      }
      return end;
    }

    /** Keeps those entries that lie inside the tensor; returns the new end. */
    private static int within(int limit, short[] dropped, int end) {
      int inside = 0;
      for (int i = 0; i < end; i++) {
        if (dropped[i] < limit) {
          dropped[inside++] = dropped[i];
        }
      }
      return inside;
    }
  }
}
