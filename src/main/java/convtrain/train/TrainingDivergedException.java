package convtrain.train;

/** The loss or a weight became NaN or infinite; says where, and the last numbers that were good. */
public final class TrainingDivergedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private TrainingDivergedException(String what, EpochRecord lastGood) {
    super(
        "%s; %s; try a lower learning rate (train.optimizer.lr, or max_lr of the schedule)"
            .formatted(what, lastGood == null ? "no epoch was completed" : describe(lastGood)));
  }

  /**
   * @param step of the epoch, from 1
   * @param lastGood the last completed epoch; null if there is none
   */
  static TrainingDivergedException loss(
      int epoch, long step, long stepsPerEpoch, EpochRecord lastGood) {
    return new TrainingDivergedException(
        "the loss became NaN or infinite in epoch %d, step %d of %d"
            .formatted(epoch, step, stepsPerEpoch),
        lastGood);
  }

  /**
   * @param tensor the name of one that holds such a value
   * @param lastGood the last completed epoch; null if there is none
   */
  static TrainingDivergedException weights(int epoch, String tensor, EpochRecord lastGood) {
    return new TrainingDivergedException(
        "tensor %s became NaN or infinite in epoch %d".formatted(tensor, epoch), lastGood);
  }

  /**
   * @param split {@code test} or {@code validation}
   * @param lastGood the last completed epoch; null if there is none
   */
  static TrainingDivergedException score(String split, int epoch, EpochRecord lastGood) {
    return new TrainingDivergedException(
        "the %s loss became NaN or infinite after epoch %d".formatted(split, epoch), lastGood);
  }

  private static String describe(EpochRecord epoch) {
    return "last good metrics, of epoch %d: train loss %.4f, train accuracy %.2f %%, test loss %.4f, test accuracy %.2f %%"
        .formatted(
            epoch.epoch(),
            epoch.trainLoss(),
            100 * epoch.trainAccuracy(),
            epoch.testLoss(),
            100 * epoch.testAccuracy());
  }
}
