package convtrain.backend.cuda.op;

import convtrain.backend.DeviceBuffer;
import convtrain.backend.Owned;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.Launch;
import convtrain.graph.Precision;

/**
 * The bias of a matrix [rows, columns], kernels/bias.cu: added to each row, and its gradient, the
 * sum over the rows in a fixed order.
 */
final class Biases {
  private final Grids.Rows rows;

  Biases(CudaContext cuda, Precision precision, long rows, int columns) {
    this.rows = Grids.Rows.of(cuda, precision, rows, columns);
  }

  /** Scratch memory that {@link #gradient} needs. */
  long scratchBytes() {
    return rows.partialBytes(1);
  }

  /** y += bias in each row. */
  Launch add(DeviceBuffer y, DeviceBuffer bias) {
    return rows.launch("bias", "bias_add", y, bias, rows.rows(), rows.channels());
  }

  /**
   * dbias = sum of dy's rows.
   *
   * @param owned closes what the launch needs beside its arguments
   */
  Launch gradient(Owned owned, DeviceBuffer dy, DeviceBuffer dbias, DeviceBuffer scratch) {
    DeviceBuffer tickets = owned.add(rows.cuda().allocate(rows.ticketBytes()));
    return rows.launch(
        "bias", "column_sum", dy, rows.rows(), rows.channels(), scratch, tickets, dbias);
  }
}
