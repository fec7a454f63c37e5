package convtrain.backend.cpu;

import convtrain.backend.Readback;
import convtrain.backend.cpu.dnnl.CpuBuffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Copies at once: what was enqueued is done, or is waited for by the copy. */
final class DirectReadback implements Readback {
  private final CpuBuffer buffer;
  private final ByteBuffer copy;
  private boolean there;

  DirectReadback(CpuBuffer buffer) {
    this.buffer = buffer;
    copy =
        ByteBuffer.allocateDirect(Math.toIntExact(buffer.bytes())).order(ByteOrder.nativeOrder());
  }

  @Override
  public void request() {
    buffer.read(0, copy.clear());
    there = true;
  }

  @Override
  public ByteBuffer poll() {
    if (!there) {
      return null;
    }
    there = false;
    return copy.clear();
  }

  @Override
  public void close() {}
}
