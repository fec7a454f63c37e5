package convtrain.backend.cuda.op;

import convtrain.backend.Binding;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.LayerOp;
import convtrain.backend.Owned;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.Launch;
import convtrain.graph.Precision;
import java.util.List;
import java.util.Objects;

/** y = sum of the inputs; each input's gradient is dy; kernels/add.cu. */
final class SumOp implements LayerOp {
  private static final String FILE = "add";

  private final Owned owned = new Owned();
  private final CudaContext cuda;
  private final Grids.Packs packs;
  private Launch forward;
  private Launch backward;

  /**
   * @param elements of each tensor
   */
  SumOp(CudaContext cuda, Precision precision, long elements) {
    this.cuda = cuda;
    packs = Grids.Packs.of(cuda, precision, elements);
  }

  @Override
  public Reads backwardReads() {
    return Reads.NEITHER;
  }

  @Override
  public void bind(Binding b) {
    forward = packs.launch(FILE, "sum", addresses(b.x()), b.x().size(), b.y(), packs.count());
    List<DeviceBuffer> wanted = b.dx().stream().filter(Objects::nonNull).toList();
    if (!wanted.isEmpty()) {
      backward =
          packs.launch(FILE, "spread", b.dy(), addresses(wanted), wanted.size(), packs.count());
    }
  }

  private DeviceBuffer addresses(List<DeviceBuffer> parts) {
    return owned.add(Upload.addresses(cuda, parts));
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
    return "convtrain:add";
  }

  @Override
  public void close() {
    owned.close();
  }
}
