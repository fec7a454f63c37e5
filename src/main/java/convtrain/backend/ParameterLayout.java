package convtrain.backend;

/**
 * How a backend stores one parameter tensor: its size, and the way to and from PyTorch's row-major
 * order. A storage may be larger than the tensor; what pads it starts at zero and stays zero.
 */
public interface ParameterLayout extends AutoCloseable {
  /** Size in storage, a multiple of 4 bytes. */
  long bytes();

  /**
   * Stores a tensor.
   *
   * @param rowMajor the values in PyTorch's order
   */
  void write(float[] rowMajor, DeviceBuffer to);

  /**
   * Fetches a tensor.
   *
   * @param rowMajor receives the values in PyTorch's order
   */
  void read(DeviceBuffer from, float[] rowMajor);

  /** Releases the library's descriptors, if there are any. */
  @Override
  default void close() {}
}
