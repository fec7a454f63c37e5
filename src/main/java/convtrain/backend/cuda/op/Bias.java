package convtrain.backend.cuda.op;

import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.Launch;
import convtrain.graph.Precision;

/** A bias on the columns of y [rows, columns], and its gradient; kernels/bias.cu. */
final class Bias implements AutoCloseable {
  private static final int THREADS = 256;
  private static final int ROWS_PER_THREAD = 4;

  /** Each leaves a row of sums to be added up in the end. */
  private static final long MOST_SUMMING_BLOCKS = 256;

  private final CudaContext cuda;
  private final Precision precision;
  private final long rows;
  private final int columns;
  private final CudaBuffer tickets;

  /** For the gradient; owns the counters that tell which block is the last. */
  Bias(CudaContext cuda, Precision precision, long rows, int columns) {
    this.cuda = cuda;
    this.precision = precision;
    this.rows = rows;
    this.columns = columns;
    tickets = cuda.allocate((long) blocksAcross(precision, columns) * Integer.BYTES);
  }

  /** {@code compute}, and then y += bias unless bias is null. */
  static Runnable after(
      Runnable compute,
      CudaContext cuda,
      Precision precision,
      long rows,
      int columns,
      CudaBuffer y,
      CudaBuffer bias) {
    if (bias == null) {
      return compute;
    }
    int width = Elements.width(precision, columns);
    Launch add =
        cuda.kernels()
            .get("bias", "bias_add", Elements.defines(precision, width))
            .launch(
                (int) Math.min(blocksDown(precision, rows, columns), Integer.MAX_VALUE),
                blocksAcross(precision, columns),
                1,
                THREADS,
                1,
                1,
                0,
                y,
                bias,
                rows,
                columns);
    return () -> {
      compute.run();
      add.enqueue();
    };
  }

  /** Scratch that the gradient needs. */
  long gradientScratchBytes() {
    return Math.multiplyExact((long) summingBlocks() * columns, Double.BYTES);
  }

  /** dBias = sum over the rows of dy, in the same order each time. */
  Launch gradient(CudaBuffer dy, CudaBuffer dBias, CudaBuffer scratch) {
    int width = Elements.width(precision, columns);
    return cuda.kernels()
        .get("bias", "column_sum", Elements.defines(precision, width))
        .launch(
            summingBlocks(),
            blocksAcross(precision, columns),
            1,
            THREADS,
            1,
            1,
            0,
            dy,
            rows,
            columns,
            scratch,
            tickets,
            dBias);
  }

  private int summingBlocks() {
    return (int) Math.min(blocksDown(precision, rows, columns), MOST_SUMMING_BLOCKS);
  }

  private static int blocksAcross(Precision precision, int columns) {
    int packs = columns / Elements.width(precision, columns);
    return (packs + THREADS - 1) / THREADS;
  }

  private static long blocksDown(Precision precision, long rows, int columns) {
    int packs = columns / Elements.width(precision, columns);
    long rowsPerBlock = (long) THREADS / Math.min(packs, THREADS) * ROWS_PER_THREAD;
    return (rows + rowsPerBlock - 1) / rowsPerBlock;
  }

  @Override
  public void close() {
    tickets.close();
  }
}
