package convtrain.backend;

import java.nio.ByteBuffer;

/** Copies of a small device buffer to the host that hold up nothing on the device. */
public interface Readback extends AutoCloseable {
  /** Asks for a copy as of the work enqueued so far; does nothing while one is under way. */
  void request();

  /**
   * The copy asked for, once it is there; until then, and after it was taken, null. Its bytes, in
   * native order, stay as they are until the next {@link #request}.
   */
  ByteBuffer poll();

  @Override
  void close();
}
