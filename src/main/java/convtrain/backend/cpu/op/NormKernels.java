package convtrain.backend.cpu.op;

import convtrain.backend.Binding;
import convtrain.backend.DeviceBuffer;

/**
 * The primitives of a batch norm, with the ReLU behind it where there is one: y = weight (x - mean)
 * / sqrt(variance + eps) + bias.
 */
interface NormKernels extends AutoCloseable {
  /**
   * Memory of the values per channel, each of {@link #vectorBytes}; null where there is none.
   *
   * @param mean written in training, read in evaluation; so is variance, which is biased
   * @param workspace of {@link #workspaceBytes}, kept for the backward pass
   * @param weightGradient receives d(loss)/d(weight); so does biasGradient
   */
  record Vectors(
      DeviceBuffer mean,
      DeviceBuffer variance,
      DeviceBuffer weight,
      DeviceBuffer bias,
      DeviceBuffer weightGradient,
      DeviceBuffer biasGradient,
      DeviceBuffer workspace) {}

  /** How often a vector repeats the channels: each value stands so many times, C apart. */
  default int repeats() {
    return 1;
  }

  long workspaceBytes();

  long scratchBytes();

  /** Whether the workspace knows the elements in the plan's order. */
  boolean keepsOrder();

  void bind(Binding b, Vectors vectors);

  void forward();

  void backward();

  String implementation();

  @Override
  void close();
}
