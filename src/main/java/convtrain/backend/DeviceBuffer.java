package convtrain.backend;

import java.nio.ByteBuffer;

/**
 * A range of device memory: an allocation, or a slice of one.
 *
 * <p>Reading and writing wait for enqueued work and copy through the host; they are for set-up,
 * tests and the end of an epoch, not for the step. Every access is checked against the range and
 * fails after the allocation was closed.
 */
public interface DeviceBuffer extends AutoCloseable {
  long bytes();

  /** A view of part of this memory; closing it does nothing. */
  DeviceBuffer slice(long offsetBytes, long bytes);

  /** Copies all of {@code from}'s remaining bytes to {@code offsetBytes}. */
  void write(long offsetBytes, ByteBuffer from);

  /** Fills all of {@code into}'s remaining bytes from {@code offsetBytes}. */
  void read(long offsetBytes, ByteBuffer into);

  /** Releases the allocation; views of it fail from then on. */
  @Override
  void close();
}
