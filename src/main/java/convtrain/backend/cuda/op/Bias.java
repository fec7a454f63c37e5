package convtrain.backend.cuda.op;

import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.Launch;
import convtrain.graph.Precision;

/** A bias on the columns of y [rows, columns], and its gradient; kernels/bias.cu. */
final class Bias implements AutoCloseable {
  private static final String FILE = "bias";

  private final Grids.Rows rows;
  private final CudaBuffer tickets;

  /** For the gradient; owns the tickets that tell which block is the last. */
  Bias(CudaContext cuda, Precision precision, long rows, int columns) {
    this.rows = Grids.Rows.of(cuda, precision, rows, columns);
    tickets = cuda.allocate(this.rows.ticketBytes());
  }

  /** {@code compute}, and then y += bias unless bias is null. */
  static Runnable after(
      Runnable compute,
      CudaContext cuda,
      Precision precision,
      long rowCount,
      int columns,
      CudaBuffer y,
      CudaBuffer bias) {
    if (bias == null) {
      return compute;
    }
    Grids.Rows rows = Grids.Rows.of(cuda, precision, rowCount, columns);
    Launch add = rows.launch(FILE, "bias_add", y, bias, rowCount, columns);
    return () -> {
      compute.run();
      add.enqueue();
    };
  }

  /** Scratch that the gradient needs. */
  long gradientScratchBytes() {
    return rows.partialBytes(1);
  }

  /** dBias = sum over the rows of dy, in the same order each time. */
  Launch gradient(CudaBuffer dy, CudaBuffer dBias, CudaBuffer scratch) {
    return rows.launch(
        FILE, "column_sum", dy, rows.rows(), rows.channels(), scratch, tickets, dBias);
  }

  @Override
  public void close() {
    tickets.close();
  }
}
