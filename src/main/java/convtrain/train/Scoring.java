package convtrain.train;

import convtrain.backend.Normalization;
import convtrain.config.RunConfig;
import convtrain.graph.AugmentSpec;
import convtrain.graph.LossSpec;
import convtrain.graph.ModelGraph;

/**
 * How a network is scored.
 *
 * @param loss what was trained with; see {@link LossSpec#forScoring}
 * @param normalization as in training
 * @param augment how images are varied; null: not at all
 * @param seed of the variations
 */
record Scoring(LossSpec loss, Normalization normalization, AugmentSpec augment, long seed) {
  /** By images as they are, as a run scores its network. */
  static Scoring of(RunConfig run, ModelGraph graph) {
    return new Scoring(run.train().loss(), RunSetup.normalization(run, graph), null, run.seed());
  }

  /** By images that are varied as the run varies those it trains on. */
  static Scoring varied(RunConfig run, ModelGraph graph) {
    return new Scoring(
        run.train().loss(), RunSetup.normalization(run, graph), run.data().augment(), run.seed());
  }
}
