package convtrain.backend.cpu.op;

import static org.bytedeco.dnnl.global.dnnl.*;

import convtrain.backend.Binding;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.LayerOp;
import convtrain.backend.Owned;
import convtrain.backend.cpu.dnnl.CpuBuffer;
import convtrain.backend.cpu.dnnl.Dnnl;
import convtrain.backend.cpu.dnnl.Kernel;
import convtrain.graph.Node;
import convtrain.graph.Shape;
import convtrain.graph.Window2d;
import org.bytedeco.dnnl.binary;
import org.bytedeco.dnnl.memory;
import org.bytedeco.dnnl.pooling_backward;
import org.bytedeco.dnnl.pooling_forward;

/**
 * Maximum or mean of each window: x [N, C, H, W], y [N, C, hOut, wOut]. Saved memory: oneDNN's
 * workspace (where each maximum stood).
 *
 * <p>PyTorch divides a mean by the pixels and declared padding under the window, oneDNN by the
 * whole window or by the pixels alone. They differ only for windows that {@code ceil_mode} lets
 * hang over; there each output is multiplied by the ratio, [1, 1, hOut, wOut], before oneDNN's
 * gradient too.
 */
final class PoolOp implements LayerOp {
  /** What is taken of a window. */
  enum Kind {
    MAX(dnnl_pooling_max),
    MEAN_OF_PIXELS(dnnl_pooling_avg_exclude_padding),
    MEAN_WITH_PADDING(dnnl_pooling_avg_include_padding);

    private final int algorithm;

    Kind(int algorithm) {
      this.algorithm = algorithm;
    }
  }

  private final Owned owned = new Owned();
  private final Dnnl dnnl;
  private final Kernel forward;
  private final Kernel backward;
  private final memory.desc x;
  private final memory.desc y;
  private final memory.desc workspace;
  private final float[] ratios;
  private final Shape out;
  private Kernel correctForward;
  private Kernel correctBackward;

  PoolOp(Dnnl dnnl, int batch, boolean training, Kind kind, Window2d window, Node node) {
    this.dnnl = dnnl;
    Shape in = node.in().get(0);
    out = node.out();
    try {
      x = owned.add(dnnl.activation(batch, in));
      y = owned.add(dnnl.activation(batch, out));
      int prop = training ? dnnl_forward_training : dnnl_forward_inference;
      long[] kernel = Dnnl.dims(window.kernel().h(), window.kernel().w());
      long[] strides = Dnnl.dims(window.stride().h(), window.stride().w());
      long[] dilates = {0, 0};
      long[] before = Dnnl.dims(window.padTop(), window.padLeft());
      long[] after = Dnnl.dims(window.padBottom(), window.padRight());
      var desc =
          new pooling_forward.primitive_desc(
              dnnl.engine(),
              prop,
              kind.algorithm,
              x,
              y,
              strides,
              kernel,
              dilates,
              before,
              after,
              dnnl.attributes(),
              false);
      forward = owned.add(new Kernel(dnnl, desc, pooling_forward::new));
      workspace = owned.add(desc.workspace_desc());
      Kernel back = null;
      if (training) {
        var backDesc =
            new pooling_backward.primitive_desc(
                dnnl.engine(),
                kind.algorithm,
                x,
                y,
                strides,
                kernel,
                dilates,
                before,
                after,
                desc,
                dnnl.attributes(),
                false);
        back = owned.add(new Kernel(dnnl, backDesc, pooling_backward::new));
      }
      backward = back;
      ratios = window.overhang() && kind == Kind.MEAN_WITH_PADDING ? ratios(window, in) : null;
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, owned);
      throw e;
    }
  }

  /** Taps of a whole window over those inside the image and its declared padding, per output. */
  private static float[] ratios(Window2d window, Shape in) {
    float[] ratios = new float[window.out().h() * window.out().w()];
    for (int i = 0; i < window.out().h(); i++) {
      for (int j = 0; j < window.out().w(); j++) {
        int rows =
            inside(i, window.stride().h(), window.kernel().h(), in.height(), window.padTop());
        int columns =
            inside(j, window.stride().w(), window.kernel().w(), in.width(), window.padLeft());
        ratios[i * window.out().w() + j] = (float) window.taps() / (rows * columns);
      }
    }
    return ratios;
  }

  private static int inside(int index, int stride, int kernel, int in, int pad) {
    int start = index * stride;
    return Math.min(start + kernel, in + 2 * pad) - start;
  }

  @Override
  public Needs needs() {
    long scratch = forward.scratchBytes();
    return new Needs(
        workspace.get_size(),
        backward == null ? scratch : Math.max(scratch, backward.scratchBytes()));
  }

  @Override
  public Reads backwardReads() {
    return Reads.NEITHER;
  }

  @Override
  public void bind(Binding b) {
    forward.with(DNNL_ARG_SRC, x, b.x().get(0)).with(DNNL_ARG_DST, y, b.y());
    bindWorkspace(forward, b);
    forward.ready(b.scratch());
    if (ratios != null) {
      correctForward = correction(b.y());
      correctBackward = backward == null || b.dy() == null ? null : correction(b.dy());
    }
    if (backward != null && b.dx().get(0) != null) {
      backward.with(DNNL_ARG_DIFF_SRC, x, b.dx().get(0)).with(DNNL_ARG_DIFF_DST, y, b.dy());
      bindWorkspace(backward, b);
      backward.ready(b.scratch());
    }
  }

  private void bindWorkspace(Kernel kernel, Binding b) {
    if (workspace.get_size() > 0) {
      kernel.with(DNNL_ARG_WORKSPACE, workspace, b.saved());
    }
  }

  /** tensor *= ratios, in place. */
  private Kernel correction(DeviceBuffer tensor) {
    memory.desc ratioDesc = owned.add(Dnnl.rowMajor(1, 1, out.height(), out.width()));
    var desc =
        new binary.primitive_desc(
            dnnl.engine(), dnnl_binary_mul, y, ratioDesc, y, dnnl.attributes(), false);
    Kernel kernel = owned.add(new Kernel(dnnl, desc, binary::new));
    var values = owned.add(CpuBuffer.allocate(4L * ratios.length));
    values.asFloats().put(ratios);
    kernel
        .with(DNNL_ARG_SRC_0, y, tensor)
        .with(DNNL_ARG_SRC_1, ratioDesc, values)
        .with(DNNL_ARG_DST, y, tensor);
    var scratch = owned.add(CpuBuffer.allocate(kernel.scratchBytes()));
    kernel.ready(scratch);
    return kernel;
  }

  @Override
  public void forward() {
    forward.execute();
    if (correctForward != null) {
      correctForward.execute();
    }
  }

  @Override
  public void backward() {
    if (correctBackward != null) {
      correctBackward.execute();
    }
    backward.execute();
  }

  @Override
  public String implementation() {
    return forward.implementation() + (backward == null ? "" : " | " + backward.implementation());
  }

  @Override
  public void close() {
    owned.close();
  }
}
