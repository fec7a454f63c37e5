package convtrain.backend;

/**
 * One step of a plan on a device: a layer, the loss, the parameter update.
 *
 * <p>Made, bound once, then run any number of times. {@code forward} and {@code backward} only
 * enqueue. Closing releases what the op made; the buffers it was bound to belong to the plan.
 */
public interface Op extends AutoCloseable {
  /**
   * Memory an op needs beside its tensors.
   *
   * @param savedBytes kept from forward to backward (a pooling's indices, a ReLU's mask)
   * @param scratchBytes used within one call only; ops of a plan share it
   */
  record Needs(long savedBytes, long scratchBytes) {
    public static final Needs NOTHING = new Needs(0, 0);
  }

  /** Which of its own forward tensors the backward pass reads; the plan keeps no other alive. */
  record Reads(boolean input, boolean output) {
    public static final Reads NEITHER = new Reads(false, false);
    public static final Reads INPUT = new Reads(true, false);
    public static final Reads OUTPUT = new Reads(false, true);
  }

  /** What this op needs beside its tensors. */
  default Needs needs() {
    return Needs.NOTHING;
  }

  /** What {@code backward} reads of x and y. */
  default Reads backwardReads() {
    return Reads.INPUT;
  }

  /** Whether y may be written over x. */
  default boolean forwardInPlace() {
    return false;
  }

  /** Whether dx may be written over dy. */
  default boolean backwardInPlace() {
    return false;
  }

  /** Receives its memory. Called once, before the first run. */
  void bind(Binding binding);

  /** Enqueues y = f(x). */
  void forward();

  /**
   * Enqueues dx and the parameter gradients from dy; each is overwritten, not added to. dy is this
   * op's alone and may be spoilt.
   */
  void backward();

  /** What runs: the library's implementation, for profiles and for tests ({@code brg:avx512}). */
  default String implementation() {
    return "";
  }

  @Override
  void close();
}
