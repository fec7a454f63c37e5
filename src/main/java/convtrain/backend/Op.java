package convtrain.backend;

/**
 * One entry of a plan on a device: staging, a layer's forward pass, the loss, the parameter update.
 *
 * <p>Run any number of times; {@code forward} only enqueues. What is no layer has its memory from
 * when it was made, see {@link OpFactory}; {@link LayerOp} adds what a layer has more.
 */
public interface Op extends AutoCloseable {
  /** Enqueues what it computes. */
  void forward();

  /** What runs: the library's implementation, for profiles and for tests ({@code brg:avx512}). */
  default String implementation() {
    return "";
  }

  /** Releases what the op made; the buffers it works on belong to the plan. */
  @Override
  default void close() {}
}
