package convtrain.train;

import convtrain.config.Monitor;

/**
 * The numbers of one epoch. Losses are the run's ({@code train.loss}), the mean over the samples;
 * those of the test and the validation split without label smoothing. Accuracies are 0 to 1.
 *
 * @param epoch from 1
 * @param epochs epochs the run will take
 * @param step updates of the weights since the run began
 * @param lr learning rate of the epoch's last update
 * @param trainLoss over the epoch's batches as they were trained, so with changing weights and with
 *     dropout
 * @param trainAccuracy likewise
 * @param testLoss of the weights at the epoch's end
 * @param testAccuracy likewise
 * @param trainSeconds spent on the epoch's steps
 * @param testSeconds spent on scoring after them
 * @param imagesPerSecond training samples per second of {@code trainSeconds}
 * @param validationLoss of the weights at the epoch's end; null without a validation split
 * @param validationAccuracy likewise
 */
public record EpochRecord(
    int epoch,
    int epochs,
    long step,
    double lr,
    double trainLoss,
    double trainAccuracy,
    double testLoss,
    double testAccuracy,
    double trainSeconds,
    double testSeconds,
    double imagesPerSecond,
    Double validationLoss,
    Double validationAccuracy) {
  public EpochRecord {
    if ((validationLoss == null) != (validationAccuracy == null)) {
      throw new IllegalArgumentException(
          "validation loss %s and accuracy %s; expected both or neither"
              .formatted(validationLoss, validationAccuracy));
    }
  }

  /** The number that a run's monitor watches. */
  public double value(Monitor monitor) {
    return switch (monitor) {
      case TRAIN_LOSS -> trainLoss;
      case TRAIN_ACCURACY -> trainAccuracy;
      case VALIDATION_LOSS -> validationLoss;
      case VALIDATION_ACCURACY -> validationAccuracy;
      case TEST_LOSS -> testLoss;
      case TEST_ACCURACY -> testAccuracy;
    };
  }
}
