package convtrain.peers;

import java.util.List;

/**
 * What came of a training.
 *
 * @param seconds of each epoch's steps on the wall clock
 * @param trainLoss mean over the samples of the last epoch, as they were trained
 * @param trainAccuracy likewise, 0 to 1; NaN where the engine does not say
 * @param testAccuracy of the weights at the end, 0 to 1
 */
record Course(List<Double> seconds, double trainLoss, double trainAccuracy, double testAccuracy) {}
