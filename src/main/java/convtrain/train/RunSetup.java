package convtrain.train;

import convtrain.backend.Normalization;
import convtrain.config.ConfigException;
import convtrain.config.LearningRates;
import convtrain.config.RunConfig;
import convtrain.data.Dataset;
import convtrain.data.Sampler;
import convtrain.graph.ModelGraph;

/**
 * What a run file and its data decide once, for whatever trains, tries or measures the run.
 *
 * @param train what is trained on; null, as are sampler and rates, if it is not known
 * @param batchSize samples of a full batch: the run file's batch size, or all samples if they are
 *     fewer and drop_last does not leave them out
 * @param sampler the order of each epoch
 * @param normalization bytes to the network's input
 * @param rates of the run's updates; an epoch's last batches are an update of their own
 */
record RunSetup(
    RunConfig run,
    ModelGraph graph,
    Dataset train,
    int batchSize,
    Sampler sampler,
    Normalization normalization,
    LearningRates rates) {
  /** The schedule's table holds 8 bytes for each step. */
  private static final long MAX_STEPS = 100_000_000;

  static RunSetup of(RunConfig run, Dataset train) {
    return of(run, train, run.data().dropLast());
  }

  /** The same without an epoch's last, smaller batch. */
  static RunSetup ofWholeBatches(RunConfig run, Dataset train) {
    return of(run, train, true);
  }

  /** What the run file alone decides. */
  static RunSetup withoutData(RunConfig run) {
    ModelGraph graph = ModelGraph.of(run.model());
    return new RunSetup(
        run, graph, null, run.train().batchSize(), null, normalization(run, graph), null);
  }

  private static RunSetup of(RunConfig run, Dataset train, boolean dropLast) {
    ModelGraph graph = ModelGraph.of(run.model());
    int asked = run.train().batchSize();
    int batchSize = run.data().dropLast() ? asked : Math.min(asked, train.size());
    Sampler sampler = new Sampler(train, batchSize, run.data().shuffle(), dropLast, run.seed());
    int updates = (sampler.stepsPerEpoch() - 1) / run.train().accumulateSteps() + 1;
    return new RunSetup(
        run,
        graph,
        train,
        batchSize,
        sampler,
        normalization(run, graph),
        run.train().learningRates(updates));
  }

  /** How the run file turns bytes into the network's input. */
  static Normalization normalization(RunConfig run, ModelGraph graph) {
    return new Normalization(
        graph.input(),
        run.data().normalize().means(graph.input()),
        run.data().normalize().stds(graph.input()));
  }

  /** The run's updates, for each of which the schedule's table has a place. */
  int scheduleSteps() {
    if (rates.steps() > MAX_STEPS) {
      throw new ConfigException(
          "train.epochs=%d of %d steps are %d steps; expected at most %d"
              .formatted(rates.epochs(), rates.stepsPerEpoch(), rates.steps(), MAX_STEPS));
    }
    return Math.toIntExact(rates.steps());
  }
}
