package convtrain.backend;

/**
 * Brings batches of samples to the device. The staging ops of plans read from it, see {@link
 * OpFactory#stage}; for each step of such a plan, {@link #next} is called once before it.
 *
 * <p>For one thread. Between {@code start} and the end of its pass nothing is allocated.
 */
public interface Feed extends AutoCloseable {
  /**
   * Begins a pass; one that is not over yet is given up.
   *
   * @param samples where images and labels come from
   * @param order indices of samples, in the order of the pass; may change after the return
   * @param count how many of {@code order} the pass covers
   * @param epoch which pass of a run it is: what is drawn anew in each depends on it
   */
  void start(Samples samples, int[] order, int count, int epoch);

  /** Begins a pass of which nothing depends on its number. */
  default void start(Samples samples, int[] order, int count) {
    start(samples, order, count, 0);
  }

  /**
   * Readies the next batch for the next step to be enqueued.
   *
   * @return its samples: the feed's batch size, or fewer at the end of a pass; 0 when it is over
   */
  int next();

  /**
   * Device memory that passes over such sets of samples will take beyond what the feed has now; as
   * things stand, where it depends on how much is free.
   *
   * @param counts samples of each set
   */
  long bytesFor(int... counts);

  /** Ends what reads in the background and releases memory. */
  @Override
  void close();
}
