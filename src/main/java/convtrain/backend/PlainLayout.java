package convtrain.backend;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** A parameter stored as it is: biases, and batch norm's vectors. */
public record PlainLayout(int elements) implements ParameterLayout {
  @Override
  public long bytes() {
    return (long) elements * Float.BYTES;
  }

  @Override
  public void write(float[] values, DeviceBuffer to) {
    ByteBuffer bytes = staging();
    bytes.asFloatBuffer().put(values);
    to.write(0, bytes);
  }

  @Override
  public void read(DeviceBuffer from, float[] values) {
    ByteBuffer bytes = staging();
    from.read(0, bytes);
    bytes.asFloatBuffer().get(values);
  }

  private ByteBuffer staging() {
    return ByteBuffer.allocateDirect(elements * Float.BYTES).order(ByteOrder.nativeOrder());
  }
}
