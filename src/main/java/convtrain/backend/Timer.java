package convtrain.backend;

/**
 * Moments in the order of the device's work, and the time between them. Marks may stand among what
 * {@link Backend#capture} replays; each run then sets them anew.
 */
public interface Timer extends AutoCloseable {
  /** Marks the end of what was enqueued so far as a moment; one marked before is forgotten. */
  void mark(int moment);

  /**
   * The time from one moment to another; both were marked, and {@link Backend#synchronize} was
   * called after.
   */
  long nanosBetween(int from, int to);

  @Override
  void close();
}
