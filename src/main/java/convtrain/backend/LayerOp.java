package convtrain.backend;

/**
 * A layer, with those fused into it, on a device: y = f(x), and back from dy.
 *
 * <p>Made, bound once, then run any number of times. {@code forward} and {@code backward} only
 * enqueue.
 */
public interface LayerOp extends Op {
  /**
   * Memory a layer needs beside its tensors.
   *
   * @param savedBytes kept from forward to backward (a pooling's indices, a ReLU's mask)
   * @param scratchBytes used within one call only; layers of a plan share it
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

  /** What it needs beside its tensors. */
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

  /**
   * Enqueues dx and the parameter gradients from dy; each is overwritten, not added to. dy is this
   * op's alone and may be spoilt.
   */
  void backward();

  @Override
  void close();
}
