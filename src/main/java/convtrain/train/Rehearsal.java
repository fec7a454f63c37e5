package convtrain.train;

import convtrain.backend.Backend;
import convtrain.backend.Owned;
import convtrain.config.RunConfig;
import convtrain.data.Dataset;
import convtrain.data.Sampler;
import convtrain.graph.ModelGraph;
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

  private Rehearsal(
      Backend backend, RunConfig run, Dataset data, Sampler sampler, int batchSize, float[] rates) {
    this.sampler = sampler;
    samples = new DatasetSamples(data);
    ModelGraph graph = ModelGraph.of(run.model());
    boolean trains = rates != null;
    try {
      state =
          owned.add(
              new RunState(
                  backend,
                  graph,
                  batchSize,
                  trains ? run.train().update() : null,
                  trains ? rates.length / 2 : 1));
      if (trains) {
        state.setSchedule(rates);
      }
      state.initialize(run.seed());
      plans = owned.add(plans(backend, run, graph, batchSize, trains));
      plan = plans.of(batchSize);
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, owned);
      throw e;
    }
  }

  private Plans plans(
      Backend backend, RunConfig run, ModelGraph graph, int batchSize, boolean trains) {
    return trains
        ? Plans.ofTraining(backend, run, graph, state, batchSize)
        : Plans.ofScoring(
            backend,
            graph,
            state,
            run.train().loss(),
            Trainer.normalization(run, graph),
            batchSize,
            null,
            run.seed());
  }

  /**
   * Training, each batch an update, at given rates.
   *
   * @param rates two floats per update: learning rate, momentum
   */
  static Rehearsal ofTraining(Backend backend, RunConfig run, Dataset data, float[] rates) {
    int batchSize = Math.min(run.train().batchSize(), data.size());
    return new Rehearsal(backend, run, data, sampler(run, data, batchSize), batchSize, rates);
  }

  /**
   * Training, each batch an update, at the run's own rates; beyond its end at the last one.
   *
   * @param steps that will be run at most
   */
  public static Rehearsal ofTraining(Backend backend, RunConfig run, Dataset data, int steps) {
    int batchSize = Math.min(run.train().batchSize(), data.size());
    Sampler sampler = sampler(run, data, batchSize);
    float[] rates = Trainer.rates(run, sampler).table(steps);
    return new Rehearsal(backend, run, data, sampler, batchSize, rates);
  }

  private static Sampler sampler(RunConfig run, Dataset data, int batchSize) {
    return new Sampler(data, batchSize, run.data().shuffle(), true, run.seed());
  }

  /**
   * Scoring of images as they are, by the initial weights.
   *
   * @param batchSize samples at once; 0: as many as training scores
   */
  public static Rehearsal ofScoring(Backend backend, RunConfig run, Dataset data, int batchSize) {
    int wanted = batchSize > 0 ? batchSize : Evaluator.batchSize(ModelGraph.of(run.model()));
    int size = Math.min(wanted, data.size());
    Sampler sampler = new Sampler(data, size, false, true, run.seed());
    return new Rehearsal(backend, run, data, sampler, size, null);
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
