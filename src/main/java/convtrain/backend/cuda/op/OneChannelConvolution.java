package convtrain.backend.cuda.op;

import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.Kernel;
import convtrain.backend.cuda.device.Launch;

/** Our own convolution of images with one channel; kernels/conv_first.cu. */
final class OneChannelConvolution implements AutoCloseable {
  private static final String NAME = "convtrain:conv_first";

  /** Of one thread, all in registers. */
  private static final int MOST_SUMS = 96;

  private static final int MOST_CHANNELS_PER_THREAD = 8;

  /** What a block adds up at once, one row of the kernel, must fit its static shared memory. */
  private static final int MOST_SUMS_OF_A_ROW = 40;

  private static final int PIXELS_PER_SUMMING_THREAD = 4;
  private static final long MOST_SUMMING_BLOCKS = 512;

  private final CudaContext cuda;
  private final ConvGeometry geometry;
  private final int width;
  private final int blocksAcross;
  private final CudaBuffer tickets;

  OneChannelConvolution(CudaContext cuda, ConvGeometry g) {
    this.cuda = cuda;
    geometry = g;
    width = width(g);
    blocksAcross = g.k() / width;
    tickets = cuda.allocate((long) blocksAcross * Integer.BYTES);
  }

  static boolean applies(ConvGeometry g) {
    return g.c() == 1
        && g.groups() == 1
        && g.pixels() <= Integer.MAX_VALUE
        && g.taps() * width(g) <= MOST_SUMS
        && g.kernel().w() * width(g) <= MOST_SUMS_OF_A_ROW;
  }

  /** Output channels of one thread: as many as its registers hold and as divide K. */
  private static int width(ConvGeometry g) {
    int width = MOST_CHANNELS_PER_THREAD;
    while (width > 1
        && (g.k() % width != 0
            || g.taps() * width > MOST_SUMS
            || g.kernel().w() * width > MOST_SUMS_OF_A_ROW)) {
      width /= 2;
    }
    return width;
  }

  ConvWay forward() {
    return new ConvWay(NAME, 0, this::bindForward);
  }

  private Runnable bindForward(ConvMemory m) {
    int blocks = (int) Grids.blocks(geometry.pixels());
    return launch("conv_first_forward", blocks, m.x(), m.weight(), m.bias(), m.y())::enqueue;
  }

  ConvWay backwardFilter() {
    long partials = (long) summingBlocks() * geometry.weights() * Float.BYTES;
    return new ConvWay(NAME, partials, this::bindBackwardFilter);
  }

  private Runnable bindBackwardFilter(ConvMemory m) {
    return launch(
            "conv_first_backward",
            summingBlocks(),
            m.x(),
            m.dy(),
            m.dWeight(),
            m.scratch(),
            tickets)
        ::enqueue;
  }

  private int summingBlocks() {
    long perBlock = (long) Grids.THREADS * PIXELS_PER_SUMMING_THREAD;
    return (int) Math.min((geometry.pixels() + perBlock - 1) / perBlock, MOST_SUMMING_BLOCKS);
  }

  /** Both kernels take their tensors first and the geometry behind them. */
  private Launch launch(String function, int blocks, CudaBuffer... tensors) {
    ConvGeometry g = geometry;
    Kernel kernel =
        cuda.kernels()
            .get(
                "conv_first",
                function,
                Grids.defines(
                    g.precision(),
                    width,
                    "KERNEL_H=" + g.kernel().h(),
                    "KERNEL_W=" + g.kernel().w()));
    Object[] numbers = {
      (int) g.pixels(),
      g.k(),
      g.h(),
      g.w(),
      g.hOut(),
      g.wOut(),
      g.stride().h(),
      g.stride().w(),
      g.dilation().h(),
      g.dilation().w(),
      g.pad().h(),
      g.pad().w()
    };
    Object[] arguments = new Object[tensors.length + numbers.length];
    System.arraycopy(tensors, 0, arguments, 0, tensors.length);
    System.arraycopy(numbers, 0, arguments, tensors.length, numbers.length);
    return kernel.launch(blocks, blocksAcross, 1, Grids.THREADS, 1, 1, 0, arguments);
  }

  @Override
  public void close() {
    tickets.close();
  }
}
