package convtrain.backend.cpu.dnnl;

import convtrain.backend.DeviceBuffer;
import convtrain.backend.ParameterLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.bytedeco.dnnl.memory;
import org.bytedeco.dnnl.reorder;

/**
 * A parameter in the layout that a forward primitive chose, often blocked and padded with zeros, or
 * in row-major order where primitives read rounded copies; oneDNN's reorder leads from and to
 * row-major order.
 */
public final class DnnlLayout implements ParameterLayout {
  private final Dnnl dnnl;
  private final memory.desc stored;
  private final memory.desc rowMajor;

  /**
   * Takes ownership of both descriptors.
   *
   * @param stored the layout in storage
   * @param rowMajor the same dimensions in PyTorch's order
   */
  public DnnlLayout(Dnnl dnnl, memory.desc stored, memory.desc rowMajor) {
    this.dnnl = dnnl;
    this.stored = stored;
    this.rowMajor = rowMajor;
  }

  /** Row-major order in storage too. */
  public static DnnlLayout rowMajor(Dnnl dnnl, long... dims) {
    return new DnnlLayout(dnnl, Dnnl.rowMajor(dims), Dnnl.rowMajor(dims));
  }

  /** The layout in storage. */
  public memory.desc desc() {
    return stored;
  }

  @Override
  public long bytes() {
    return stored.get_size();
  }

  @Override
  public void write(float[] values, DeviceBuffer to) {
    try (CpuBuffer plain = CpuBuffer.allocate(rowMajor.get_size())) {
      ByteBuffer bytes = ByteBuffer.allocateDirect(values.length * Float.BYTES);
      bytes.order(ByteOrder.nativeOrder()).asFloatBuffer().put(values);
      plain.write(0, bytes);
      copy(rowMajor, plain, stored, to);
    }
  }

  @Override
  public void read(DeviceBuffer from, float[] values) {
    try (CpuBuffer plain = CpuBuffer.allocate(rowMajor.get_size())) {
      copy(stored, from, rowMajor, plain);
      plain.asFloats().get(values);
    }
  }

  private void copy(memory.desc fromDesc, DeviceBuffer from, memory.desc toDesc, DeviceBuffer to) {
    try (memory source = dnnl.memory(fromDesc, from);
        memory target = dnnl.memory(toDesc, to);
        reorder reorder = new reorder(source, target)) {
      reorder.execute(dnnl.stream(), source, target);
      dnnl.stream()._wait();
    }
  }

  @Override
  public void close() {
    stored.close();
    rowMajor.close();
  }
}
