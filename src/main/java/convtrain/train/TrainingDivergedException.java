package convtrain.train;

/** The loss became NaN or infinite; says where, and the last numbers that were good. */
public final class TrainingDivergedException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  TrainingDivergedException(int epoch, long stepInEpoch, long stepsPerEpoch, EpochRecord lastGood) {
    super(
        "the loss became NaN or infinite in epoch %d, step %d of %d; %s; try a lower learning rate (train.optimizer.lr, or max_lr of the schedule)"
            .formatted(
                epoch,
                stepInEpoch,
                stepsPerEpoch,
                lastGood == null
                    ? "no epoch was completed"
                    : "last good metrics, of epoch %d: train loss %.4f, train accuracy %.2f %%, test loss %.4f, test accuracy %.2f %%"
                        .formatted(
                            lastGood.epoch(),
                            lastGood.trainLoss(),
                            100 * lastGood.trainAccuracy(),
                            lastGood.testLoss(),
                            100 * lastGood.testAccuracy())));
  }
}
