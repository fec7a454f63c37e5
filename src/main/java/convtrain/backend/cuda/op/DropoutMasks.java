package convtrain.backend.cuda.op;

import convtrain.backend.Owned;
import convtrain.backend.RandomState;
import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.Launch;
import convtrain.graph.DropoutDraw;
import convtrain.graph.Precision;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/**
 * The dropout masks of one plan, drawn for all layers by one launch at the start of a step, one bit
 * per element (kernels/dropout.cuh). {@link DropoutDraw} says which elements fall.
 */
final class DropoutMasks {
  private static final int GROUP = DropoutDraw.GROUP;
  private static final int LAYER_BYTES = GROUP * Integer.BYTES + Long.BYTES + 4 * Integer.BYTES;

  /**
   * One layer's masks.
   *
   * @param kept a bit per element, set if it is kept; null: all are, in every step
   * @param scale 1 / (1 - p)
   */
  record Mask(CudaBuffer kept, float scale) {
    static final Mask NONE = new Mask(null, 1);
  }

  private record Layer(int index, double p, int groups, CudaBuffer kept) {}

  private final CudaContext cuda;
  private final List<Layer> layers = new ArrayList<>();
  private RandomState random;
  private boolean complete;

  DropoutMasks(CudaContext cuda) {
    this.cuda = cuda;
  }

  /**
   * A mask that each step renews.
   *
   * @param owned closes its memory
   * @param layer the dropout layer's index in the graph
   * @param p probability of dropping
   * @param elements N C H W of the tensor
   */
  Mask add(Owned owned, RandomState randomState, int layer, double p, int elements) {
    if (complete) {
      throw new IllegalStateException("the step that draws the masks was made before this layer");
    }
    if (p == 0) {
      return Mask.NONE;
    }
    random = randomState;
    int groups = (elements + GROUP - 1) / GROUP;
    CudaBuffer kept = owned.add(cuda.allocate((long) groups * Integer.BYTES));
    layers.add(new Layer(layer, p, groups, kept));
    return new Mask(kept, DropoutDraw.scale(p));
  }

  /**
   * What draws every mask added, for the step that the run's clock shows; no mask is added then.
   */
  Optional<Launch> drawing(Owned owned) {
    complete = true;
    if (layers.isEmpty()) {
      return Optional.empty();
    }
    ByteBuffer table = Upload.host(layers.size() * LAYER_BYTES);
    long blocks = 0;
    for (Layer layer : layers) {
      put(layer, blocks, table);
      blocks += Grids.blocks(layer.groups);
    }
    Launch launch =
        cuda.kernels()
            .get("dropout", "draw_masks", "PRECISION=" + Precision.FP32.ordinal(), "WIDTH=1")
            .launch(
                blocks,
                Grids.THREADS,
                owned.add(Upload.bytes(cuda, table)),
                layers.size(),
                CudaBuffer.of(random.clock()),
                random.seed());
    return Optional.of(launch);
  }

  /** As kernels/dropout.cuh lays it out. */
  private static void put(Layer layer, long firstBlock, ByteBuffer table) {
    for (long threshold : DropoutDraw.thresholds(layer.p)) {
      table.putInt((int) threshold);
    }
    table
        .putLong(layer.kept.address())
        .putInt(layer.groups)
        .putInt(layer.index)
        .putInt(DropoutDraw.chosenStay(layer.p) ? 1 : 0)
        .putInt(Math.toIntExact(firstBlock));
  }
}
