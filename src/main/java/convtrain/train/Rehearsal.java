package convtrain.train;

import convtrain.backend.Backend;
import convtrain.backend.Owned;
import convtrain.config.RunConfig;
import convtrain.data.Dataset;
import convtrain.data.Sampler;
import convtrain.plan.Plan;
import convtrain.plan.RunState;

/**
 * A run's steps, to try or to measure them: on its data, varied and mixed as it says, one epoch
 * after the other without end. Batches are whole, so that one step is like the other.
 */
public final class Rehearsal implements AutoCloseable {
  private final Owned owned = new Owned();
  private final DatasetSamples samples;
  private final Sampler sampler;
  private final RunState state;
  private final Plans plans;
  private final Plan plan;
  private int epoch;

  /**
   * @param rates two floats per update: learning rate, momentum; null: scores
   */
  private Rehearsal(
      Backend backend, RunSetup setup, Sampler sampler, int batchSize, float[] rates) {
    this.sampler = sampler;
    samples = new DatasetSamples(setup.train());
    RunConfig run = setup.run();
    boolean trains = rates != null;
    try {
      state =
          owned.add(
              new RunState(
                  backend,
                  setup.graph(),
                  batchSize,
                  trains ? run.train().update() : null,
                  trains ? rates.length / 2 : 1));
      if (trains) {
        state.setSchedule(rates);
      }
      state.initialize(run.seed());
      Scoring scoring = Scoring.of(run, setup.graph());
      plans =
          owned.add(
              trains
                  ? Plans.ofTraining(backend, setup, state)
                  : Plans.ofScoring(backend, setup.graph(), state, scoring, batchSize));
      plan = plans.of(batchSize);
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, owned);
      throw e;
    }
  }

  /**
   * Training, each batch an update, at given rates.
   *
   * @param rates two floats per update: learning rate, momentum
   */
  static Rehearsal ofTraining(Backend backend, RunConfig run, Dataset data, float[] rates) {
    RunSetup setup = RunSetup.ofWholeBatches(run, data);
    return new Rehearsal(backend, setup, setup.sampler(), setup.batchSize(), rates);
  }

  /**
   * Training, each batch an update, at the run's own rates; beyond its end at the last one.
   *
   * @param steps that will be run at most
   */
  public static Rehearsal ofTraining(Backend backend, RunConfig run, Dataset data, int steps) {
    RunSetup setup = RunSetup.ofWholeBatches(run, data);
    float[] rates = setup.rates().table(steps);
    return new Rehearsal(backend, setup, setup.sampler(), setup.batchSize(), rates);
  }

  /**
   * Scoring of images as they are, by the initial weights.
   *
   * @param batchSize samples at once; 0: as many as training scores
   */
  public static Rehearsal ofScoring(Backend backend, RunConfig run, Dataset data, int batchSize) {
    RunSetup setup = RunSetup.of(run, data);
    int wanted = batchSize > 0 ? batchSize : Evaluator.batchSize(setup.graph());
    int size = Math.min(wanted, data.size());
    Sampler sampler = new Sampler(data, size, false, true, run.seed());
    return new Rehearsal(backend, setup, sampler, size, null);
  }

  /** Readies the next batch for a step. */
  public void nextBatch() {
    if (plans.feed().next() == 0) {
      epoch++;
      plans.feed().start(samples, sampler.order(epoch), sampler.samplesPerEpoch(), epoch);
      plans.feed().next();
    }
  }

  /** The step. */
  public Plan plan() {
    return plan;
  }

  RunState state() {
    return state;
  }

  @Override
  public void close() {
    owned.close();
  }
}
