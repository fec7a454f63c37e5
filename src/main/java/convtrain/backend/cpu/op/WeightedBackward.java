package convtrain.backend.cpu.op;

import convtrain.backend.Binding;
import convtrain.backend.Owned;

/**
 * The backward pass of a layer with weights (convolution, linear): dw from x and dy, then dx from w
 * and dy. Both take the same scratch memory, by turns.
 */
final class WeightedBackward implements AutoCloseable {
  private final Owned owned = new Owned();
  private final WeightsGradient gradient;
  private final WeightedKernel data;

  /**
   * Takes ownership of both.
   *
   * @param data null where dx is not needed
   */
  WeightedBackward(WeightsGradient gradient, WeightedKernel data) {
    this.gradient = owned.add(gradient);
    this.data = data == null ? null : owned.add(data);
  }

  long scratchBytes() {
    return Math.max(gradient.scratchBytes(), data == null ? 0 : data.scratchBytes());
  }

  /** Ties everything to memory. */
  void bind(Binding b) {
    gradient.bind(b);
    if (data != null) {
      data.bind(b, b.dy(), b.dx().get(0));
      data.ready();
    }
  }

  void run() {
    gradient.run();
    if (data != null) {
      data.execute();
    }
  }

  String implementation() {
    String first = gradient.implementation();
    return data == null ? first : first + " | " + data.implementation();
  }

  @Override
  public void close() {
    owned.close();
  }
}
