package convtrain.backend.cuda.op;

import convtrain.backend.Binding;
import convtrain.backend.LayerOp;
import convtrain.backend.Owned;
import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.Launch;
import convtrain.graph.Node;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import java.util.List;
import java.util.Objects;

/**
 * The inputs' channels one after the other; going back, each input takes its channels of dy;
 * kernels/concat.cu.
 */
final class ConcatOp implements LayerOp {
  private static final String FILE = "concat";

  private final Owned owned = new Owned();
  private final CudaContext cuda;
  private final List<Shape> in;
  private final Grids.Rows rows;
  private Launch forward;
  private Launch backward;

  ConcatOp(CudaContext cuda, int batch, Precision precision, Node node) {
    this.cuda = cuda;
    in = node.in();
    Shape out = node.out();
    long pixels = Math.multiplyExact((long) batch * out.height(), out.width());
    int width = Grids.width(precision, in.stream().mapToLong(Shape::channels).toArray());
    rows = new Grids.Rows(cuda, precision, pixels, out.channels(), width);
  }

  @Override
  public Reads backwardReads() {
    return Reads.NEITHER;
  }

  @Override
  public void bind(Binding b) {
    CudaBuffer starts = owned.add(Upload.ints(cuda, starts()));
    CudaBuffer x = owned.add(Upload.addresses(cuda, b.x()));
    forward = rows.launch(FILE, "concat", x, starts, b.y(), rows.rows(), rows.channels());
    if (b.dy() != null && b.dx().stream().anyMatch(Objects::nonNull)) {
      CudaBuffer dx = owned.add(Upload.addresses(cuda, b.dx()));
      backward = rows.launch(FILE, "split", b.dy(), dx, starts, rows.rows(), rows.channels());
    }
  }

  /** Each input's first channel in y, then the channels of y. */
  private int[] starts() {
    int[] starts = new int[in.size() + 1];
    for (int i = 0; i < in.size(); i++) {
      starts[i + 1] = starts[i] + in.get(i).channels();
    }
    return starts;
  }

  @Override
  public void forward() {
    forward.enqueue();
  }

  @Override
  public void backward() {
    if (backward != null) {
      backward.enqueue();
    }
  }

  @Override
  public String implementation() {
    return "convtrain:concat";
  }

  @Override
  public void close() {
    owned.close();
  }
}
