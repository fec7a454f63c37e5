package convtrain.train;

/**
 * Told what happens while training, on the training thread: {@code started}, then for each epoch
 * its {@code step}s and one {@code epoch}, then {@code finished}.
 */
public interface TrainListener {
  /** Before the first step. */
  default void started(TrainStart start) {}

  /**
   * After a step, or after several where reading the numbers would hold up the device.
   *
   * @param epoch from 1
   * @param step steps of this epoch that the numbers are of, from 1 to {@code stepsPerEpoch}
   * @param loss the run's loss, the mean over the epoch's samples so far
   * @param accuracy share of the epoch's samples so far that were classified correctly, 0 to 1
   */
  default void step(int epoch, long step, long stepsPerEpoch, double loss, double accuracy) {}

  /** After an epoch's steps and its scoring on the test set. */
  default void epoch(EpochRecord epoch) {}

  /** When the run file wants a checkpoint: {@link Trainer#checkpoint} gives it. */
  default void checkpointDue() {}

  /**
   * Once, however training ended: completed, stopped or failed; called by who had it begun, not by
   * the {@link Trainer}. Releases what the listener holds.
   */
  default void finished() {}
}
