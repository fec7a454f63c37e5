package convtrain.train;

import convtrain.backend.StepMetrics;
import convtrain.plan.RunState;

/** Ends a training whose numbers are no longer finite. */
final class Soundness {
  private final RunState state;
  private final Course course;
  private final int stepsPerEpoch;

  /**
   * @param course gives the last numbers that were good
   */
  Soundness(RunState state, Course course, int stepsPerEpoch) {
    this.state = state;
    this.course = course;
    this.stepsPerEpoch = stepsPerEpoch;
  }

  /**
   * The loss of every step of the epoch so far.
   *
   * @throws TrainingDivergedException if it was NaN or infinite
   */
  void checkLoss(int epoch, StepMetrics metrics) {
    if (metrics.firstBadStep() >= 0) {
      long inEpoch = metrics.firstBadStep() - (epoch - 1L) * stepsPerEpoch + 1;
      throw TrainingDivergedException.loss(epoch, inEpoch, stepsPerEpoch, course.last());
    }
  }

  /**
   * The weights as they stand. A ReLU turns NaN into 0, so a finite loss does not prove them sound.
   *
   * @throws TrainingDivergedException if one is NaN or infinite
   */
  void checkWeights(int epoch) {
    String spoilt = Weights.firstNotFinite(state);
    if (spoilt != null) {
      throw TrainingDivergedException.weights(epoch, spoilt, course.last());
    }
  }

  /**
   * What the network scored after an epoch.
   *
   * @param split {@code test} or {@code validation}
   * @throws TrainingDivergedException if the loss is NaN or infinite
   */
  void checkScore(String split, int epoch, StepMetrics score) {
    if (!Double.isFinite(score.loss())) {
      throw TrainingDivergedException.score(split, epoch, course.last());
    }
  }
}
