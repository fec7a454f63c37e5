package convtrain.plan;

import convtrain.backend.Augmentation;
import convtrain.backend.Feed;
import convtrain.backend.Normalization;
import convtrain.graph.AugmentSpec;
import convtrain.graph.LossSpec;
import convtrain.graph.MixSpec;

/**
 * What a plan is made for.
 *
 * @param batchSize samples per step
 * @param loss what is minimised, or scored by
 * @param training whether it trains, or scores
 * @param normalization bytes to input
 * @param feed where batches come from
 * @param seed the run's seed, for dropout and augmentation
 * @param augment how the plan varies its images; null: not at all
 * @param mix how a training plan mixes its images; null: not at all
 */
public record PlanOptions(
    int batchSize,
    LossSpec loss,
    boolean training,
    Normalization normalization,
    Feed feed,
    long seed,
    AugmentSpec augment,
    MixSpec mix) {
  /** The same for batches of another size. */
  public PlanOptions withBatchSize(int samples) {
    return new PlanOptions(samples, loss, training, normalization, feed, seed, augment, mix);
  }

  /** The same with batches from there. */
  public PlanOptions withFeed(Feed source) {
    return new PlanOptions(batchSize, loss, training, normalization, source, seed, augment, mix);
  }

  /** Whether samples are mixed. */
  boolean mixes() {
    return training && mix != null;
  }

  /** The augmentation of a plan that has one, else null. */
  Augmentation augmentation() {
    return augment == null ? null : new Augmentation(augment, seed);
  }
}
