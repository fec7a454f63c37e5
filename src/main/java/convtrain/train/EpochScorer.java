package convtrain.train;

import convtrain.backend.Backend;
import convtrain.backend.StepMetrics;
import convtrain.config.LearningRates;
import convtrain.data.Dataset;
import convtrain.plan.RunState;

/** Scores the network after each epoch: on the test set, and on the validation split if any. */
final class EpochScorer implements AutoCloseable {
  private final RunState state;
  private final Trainer.Data data;
  private final Soundness soundness;
  private final Evaluator evaluator;

  EpochScorer(
      Backend backend, RunSetup setup, RunState state, Trainer.Data data, Soundness soundness) {
    this.state = state;
    this.data = data;
    this.soundness = soundness;
    evaluator =
        new Evaluator(backend, setup.graph(), state, Scoring.of(setup.run(), setup.graph()));
  }

  /** Makes all that scoring needs. */
  void prepare() {
    evaluator.prepare(data.test().size());
    if (data.validation() != null) {
      evaluator.prepare(data.validation().size());
    }
  }

  /**
   * Scores the weights as they stand; clears the metrics.
   *
   * @param rates that the epoch was trained at
   * @param train metrics of its steps
   * @param trainSeconds that they took
   * @throws TrainingDivergedException if a loss is NaN or infinite
   */
  EpochRecord score(int epoch, LearningRates rates, StepMetrics train, double trainSeconds) {
    long started = System.nanoTime();
    StepMetrics test = scored("test", data.test(), epoch);
    StepMetrics validation =
        data.validation() == null ? null : scored("validation", data.validation(), epoch);
    long step = state.step();
    return new EpochRecord(
        epoch,
        rates.epochs(),
        step,
        rates.lr(step - 1),
        train.loss(),
        train.accuracy(),
        test.loss(),
        test.accuracy(),
        trainSeconds,
        (System.nanoTime() - started) / 1e9,
        train.samples() / trainSeconds,
        validation == null ? null : validation.loss(),
        validation == null ? null : validation.accuracy());
  }

  private StepMetrics scored(String split, Dataset samples, int epoch) {
    StepMetrics metrics = evaluator.score(samples);
    soundness.checkScore(split, epoch, metrics);
    return metrics;
  }

  @Override
  public void close() {
    evaluator.close();
  }
}
