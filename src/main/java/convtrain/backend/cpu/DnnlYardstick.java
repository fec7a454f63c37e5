package convtrain.backend.cpu;

import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_DST;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_FROM;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_SRC;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_TO;
import static org.bytedeco.dnnl.global.dnnl.DNNL_ARG_WEIGHTS;

import convtrain.backend.Backend;
import convtrain.backend.Owned;
import convtrain.backend.cpu.dnnl.CpuBuffer;
import convtrain.backend.cpu.dnnl.Dnnl;
import convtrain.backend.cpu.dnnl.Kernel;
import convtrain.backend.cpu.dnnl.TensorView;
import java.util.function.Consumer;
import org.bytedeco.dnnl.matmul;
import org.bytedeco.dnnl.memory;

/** A product of matrices or a copy by oneDNN, on all of its threads. */
final class DnnlYardstick implements Backend.Yardstick {
  /** Columns of what is copied: rows enough to be dealt out to threads. */
  private static final int COLUMNS = 1024;

  private final Owned owned = new Owned();
  private final Dnnl dnnl;
  private Kernel kernel;

  private DnnlYardstick(Dnnl dnnl) {
    this.dnnl = dnnl;
  }

  static DnnlYardstick product(Dnnl dnnl, int order) {
    return make(dnnl, yardstick -> yardstick.prepareProduct(order));
  }

  static DnnlYardstick copy(Dnnl dnnl, long bytes) {
    return make(dnnl, yardstick -> yardstick.prepareCopy(bytes));
  }

  private static DnnlYardstick make(Dnnl dnnl, Consumer<DnnlYardstick> prepare) {
    DnnlYardstick yardstick = new DnnlYardstick(dnnl);
    try {
      prepare.accept(yardstick);
      return yardstick;
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, yardstick);
      throw e;
    }
  }

  private void prepareProduct(int order) {
    memory.desc desc = owned.add(dnnl.matrix(order, order));
    var primitiveDesc =
        new matmul.primitive_desc(dnnl.engine(), desc, desc, desc, dnnl.attributes(), false);
    kernel = owned.add(new Kernel(dnnl, primitiveDesc, matmul::new));
    kernel
        .with(DNNL_ARG_SRC, desc, touched(desc))
        .with(DNNL_ARG_WEIGHTS, desc, touched(desc))
        .with(DNNL_ARG_DST, desc, touched(desc))
        .ready(kernel.scratchBytes() == 0 ? null : owned.add(allocate(kernel.scratchBytes())));
  }

  private void prepareCopy(long bytes) {
    int rows = Math.toIntExact(bytes / ((long) COLUMNS * dnnl.precision().elementBytes()));
    memory.desc desc = owned.add(dnnl.matrix(rows, COLUMNS));
    kernel = owned.add(Kernel.reorder(dnnl, desc, desc));
    kernel
        .with(DNNL_ARG_FROM, desc, touched(desc))
        .with(DNNL_ARG_TO, desc, touched(desc))
        .ready(kernel.scratchBytes() == 0 ? null : owned.add(allocate(kernel.scratchBytes())));
  }

  private static CpuBuffer allocate(long bytes) {
    return CpuBuffer.allocate(bytes);
  }

  /** Written to: new memory is one page of zeros that all addresses share, and stays in cache. */
  private CpuBuffer touched(memory.desc desc) {
    CpuBuffer buffer = owned.add(allocate(desc.get_size()));
    TensorView elements = TensorView.of(dnnl.precision(), buffer);
    float[] row = new float[COLUMNS];
    for (int i = 0; i < COLUMNS; i++) {
      row[i] = 1 + (i & 7);
    }
    for (int start = 0; start < elements.count(); start += COLUMNS) {
      elements.put(start, row);
    }
    return buffer;
  }

  @Override
  public double seconds() {
    long started = System.nanoTime();
    kernel.execute();
    dnnl.stream()._wait();
    return (System.nanoTime() - started) / 1e9;
  }

  @Override
  public void close() {
    owned.close();
  }
}
