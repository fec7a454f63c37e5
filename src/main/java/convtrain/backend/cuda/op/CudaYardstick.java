package convtrain.backend.cuda.op;

import convtrain.backend.Backend;
import convtrain.backend.Owned;
import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.backend.cuda.device.CudaBusyClock;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.DeviceCopy;
import convtrain.graph.Precision;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.SplittableRandom;

/** A product of matrices by cuBLAS, or a copy by the driver, timed by events. */
public final class CudaYardstick implements Backend.Yardstick {
  private static final int PATTERN_BYTES = 1 << 20;

  /** Without their exponents' upper bits, so that in each precision random bits are below 2. */
  private static final int SMALL_NUMBERS = 0xBFFFBFFF;

  private final Owned owned = new Owned();
  private final CudaContext cuda;
  private final CudaBusyClock clock;
  private Runnable work;

  private CudaYardstick(CudaContext cuda) {
    this.cuda = cuda;
    clock = owned.add(new CudaBusyClock(cuda));
  }

  /** x, w, y [order, order]: y = x w^T in the precision of the ops. */
  public static CudaYardstick product(CudaContext cuda, Precision precision, int order) {
    CudaYardstick yardstick = new CudaYardstick(cuda);
    try {
      long bytes = (long) order * order * precision.elementBytes();
      MatrixProducts products = new MatrixProducts(cuda, precision, order, order, order);
      CudaBuffer x = yardstick.filled(bytes);
      CudaBuffer w = yardstick.filled(bytes);
      yardstick.work = products.forward(x, w, yardstick.owned.add(cuda.allocate(bytes)));
      return yardstick;
    } catch (RuntimeException e) {
      Owned.closeAfter(e, yardstick);
      throw e;
    }
  }

  /** From one allocation to another. */
  public static CudaYardstick copy(CudaContext cuda, long bytes) {
    CudaYardstick yardstick = new CudaYardstick(cuda);
    try {
      CudaBuffer from = yardstick.filled(bytes);
      CudaBuffer to = yardstick.owned.add(cuda.allocate(bytes));
      yardstick.work = new DeviceCopy(cuda, from, to)::enqueue;
      return yardstick;
    } catch (RuntimeException e) {
      Owned.closeAfter(e, yardstick);
      throw e;
    }
  }

  /** Random numbers: a GPU needs less power for zeros and then runs faster than training can. */
  private CudaBuffer filled(long bytes) {
    ByteBuffer pattern =
        ByteBuffer.allocateDirect((int) Math.min(PATTERN_BYTES, bytes))
            .order(ByteOrder.nativeOrder());
    SplittableRandom random = new SplittableRandom(1);
    while (pattern.remaining() >= Integer.BYTES) {
      pattern.putInt(random.nextInt() & SMALL_NUMBERS);
    }
    CudaBuffer buffer = owned.add(cuda.allocate(bytes));
    for (long at = 0; at < bytes; at += pattern.capacity()) {
      buffer.write(at, pattern.clear().limit((int) Math.min(pattern.capacity(), bytes - at)));
    }
    return buffer;
  }

  @Override
  public double seconds() {
    double before = clock.seconds();
    clock.begin();
    work.run();
    clock.end();
    return clock.seconds() - before;
  }

  @Override
  public void close() {
    owned.close();
  }
}
