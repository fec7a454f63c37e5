package convtrain.backend.cuda.op;

import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.Kernel;
import convtrain.backend.cuda.device.Launch;
import java.util.ArrayList;
import java.util.List;

/** Our own convolution of each channel by a kernel of its own; kernels/conv_depthwise.cu. */
final class DepthwiseConvolution implements AutoCloseable {
  private static final String NAME = "convtrain:conv_depthwise";

  /** Of one thread, all in registers. */
  private static final int MOST_WEIGHTS = 96;

  private static final int ACCESS_BYTES = 16;

  private final CudaContext cuda;
  private final ConvGeometry geometry;
  private final Grids.Rows outputs;
  private final Grids.Rows inputs;
  private final CudaBuffer tickets;

  DepthwiseConvolution(CudaContext cuda, ConvGeometry g) {
    this.cuda = cuda;
    geometry = g;
    int width = width(g);
    outputs = new Grids.Rows(cuda, g.precision(), g.pixels(), g.c(), width);
    inputs = new Grids.Rows(cuda, g.precision(), inputPixels(g), g.c(), width);
    tickets = cuda.allocate(g.kernel().h() * outputs.ticketBytes());
  }

  static boolean applies(ConvGeometry g) {
    return g.groups() > 1
        && g.groups() == g.c()
        && g.k() == g.c()
        && g.taps() <= MOST_WEIGHTS
        && Math.max(g.pixels(), inputPixels(g)) <= Integer.MAX_VALUE;
  }

  private static long inputPixels(ConvGeometry g) {
    return (long) g.n() * g.h() * g.w();
  }

  /** Channels of one thread: as many as one access moves, its registers hold, and divide C. */
  private static int width(ConvGeometry g) {
    int width = ACCESS_BYTES / g.precision().elementBytes();
    while (g.c() % width != 0 || g.taps() * width > MOST_WEIGHTS) {
      width /= 2;
    }
    return width;
  }

  ConvWay forward() {
    return new ConvWay(
        NAME,
        0,
        m -> launch("depthwise_forward", outputs, 1, m.x(), m.weight(), m.bias(), m.y())::enqueue);
  }

  ConvWay backwardData() {
    return new ConvWay(
        NAME,
        0,
        m -> launch("depthwise_backward_data", inputs, 1, m.dy(), m.weight(), m.dx())::enqueue);
  }

  /** A row of the kernel per block layer. */
  ConvWay backwardFilter() {
    return new ConvWay(
        NAME,
        geometry.kernel().h() * outputs.partialBytes(geometry.kernel().w()),
        m ->
            launch(
                    "depthwise_backward_filter",
                    outputs,
                    geometry.kernel().h(),
                    m.x(),
                    m.dy(),
                    m.dWeight(),
                    m.scratch(),
                    tickets)
                ::enqueue);
  }

  /** All kernels take their tensors first, then the pixels to walk over and the geometry. */
  private Launch launch(String function, Grids.Rows pixels, int layers, CudaBuffer... tensors) {
    ConvGeometry g = geometry;
    Kernel kernel =
        cuda.kernels()
            .get(
                "conv_depthwise",
                function,
                Grids.defines(
                    g.precision(),
                    pixels.width(),
                    "KERNEL_H=" + g.kernel().h(),
                    "KERNEL_W=" + g.kernel().w()));
    List<Object> arguments = new ArrayList<>();
    // Not List.of: a bias may be null.
    for (CudaBuffer tensor : tensors) {
      arguments.add(tensor);
    }
    arguments.add(pixels.rows());
    arguments.addAll(
        List.of(
            g.c(),
            g.h(),
            g.w(),
            g.hOut(),
            g.wOut(),
            g.stride().h(),
            g.stride().w(),
            g.dilation().h(),
            g.dilation().w(),
            g.pad().h(),
            g.pad().w()));
    return kernel.launch(
        pixels.blocksPerTile(),
        pixels.tiles(),
        layers,
        Grids.THREADS,
        1,
        1,
        0,
        arguments.toArray());
  }

  @Override
  public void close() {
    tickets.close();
  }
}
