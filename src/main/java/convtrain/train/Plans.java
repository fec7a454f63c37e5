package convtrain.train;

import convtrain.backend.Backend;
import convtrain.backend.Feed;
import convtrain.backend.OpFactory.Normalization;
import convtrain.backend.Owned;
import convtrain.config.RunConfig;
import convtrain.graph.AugmentSpec;
import convtrain.graph.DataPlacement;
import convtrain.graph.LossSpec;
import convtrain.graph.MixSpec;
import convtrain.graph.ModelGraph;
import convtrain.plan.Plan;
import convtrain.plan.PlanCompiler;
import convtrain.plan.RunState;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;

/**
 * The plans of one network over one run state: one for each batch size that occurs (a full batch,
 * an epoch's last smaller one), made at first use or by {@link #prepare}, all reading the same
 * feed.
 */
final class Plans implements AutoCloseable {
  private final Backend backend;
  private final ModelGraph graph;
  private final RunState state;
  private final LossSpec loss;
  private final boolean training;
  private final Normalization normalization;
  private final int batchSize;
  private final Feed feed;
  private final long seed;
  private final AugmentSpec augment;
  private final MixSpec mix;
  private final Owned owned = new Owned();
  private final Map<Integer, Plan> bySize = new LinkedHashMap<>();

  /**
   * @param loss what is minimised, or scored by
   * @param training whether the plans train, or score
   * @param batchSize of the largest batch
   * @param placement where the samples are kept
   * @param augment how the plans vary their images; null: not at all
   * @param mix how training plans mix their images; null: not at all
   */
  private Plans(
      Backend backend,
      ModelGraph graph,
      RunState state,
      LossSpec loss,
      boolean training,
      Normalization normalization,
      int batchSize,
      DataPlacement placement,
      long seed,
      AugmentSpec augment,
      MixSpec mix) {
    this.backend = backend;
    this.graph = graph;
    this.state = state;
    this.loss = loss;
    this.training = training;
    this.normalization = normalization;
    this.seed = seed;
    this.augment = augment;
    this.mix = mix;
    this.batchSize = batchSize;
    feed = owned.add(backend.feed(graph.input().elements(), batchSize, placement));
  }

  /**
   * What a run trains with.
   *
   * @param batchSize of the largest batch
   */
  static Plans ofTraining(
      Backend backend, RunConfig run, ModelGraph graph, RunState state, int batchSize) {
    return new Plans(
        backend,
        graph,
        state,
        run.train().loss(),
        true,
        Trainer.normalization(run, graph),
        batchSize,
        run.data().placement(),
        run.seed(),
        run.data().augment(),
        run.train().mix());
  }

  /**
   * What a network is scored with.
   *
   * @param loss what was trained with; see {@link LossSpec#forScoring}
   * @param augment how the plans vary their images; null: not at all
   * @param seed of the variations
   */
  static Plans ofScoring(
      Backend backend,
      ModelGraph graph,
      RunState state,
      LossSpec loss,
      Normalization normalization,
      int batchSize,
      AugmentSpec augment,
      long seed) {
    return new Plans(
        backend,
        graph,
        state,
        loss.forScoring(),
        false,
        normalization,
        batchSize,
        DataPlacement.AUTO,
        seed,
        augment,
        null);
  }

  /** Where the batches come from. */
  Feed feed() {
    return feed;
  }

  /** The sizes of the batches that so many samples make: full ones, and the rest. */
  static Set<Integer> sizes(int batchSize, int samples) {
    Set<Integer> sizes = new LinkedHashSet<>();
    if (samples >= batchSize) {
      sizes.add(batchSize);
    }
    if (samples % batchSize > 0) {
      sizes.add(samples % batchSize);
    }
    return sizes;
  }

  /** Makes every plan that so many samples need, so that none can fail or take time later. */
  void prepare(int samples) {
    sizes(batchSize, samples).forEach(this::of);
  }

  /** The plan for a batch of this many samples. */
  Plan of(int samples) {
    Plan plan = bySize.get(samples);
    if (plan == null) {
      plan = owned.add(make(samples));
      bySize.put(samples, plan);
    }
    return plan;
  }

  /** A plan of the caller's own, who closes it. */
  Plan make(int samples) {
    PlanCompiler.Options options =
        new PlanCompiler.Options(samples, loss, training, normalization, feed, seed, augment, mix);
    return PlanCompiler.compile(backend, graph, state, options);
  }

  @Override
  public void close() {
    owned.close();
  }
}
