package convtrain.train;

import convtrain.backend.Backend;
import convtrain.backend.Feed;
import convtrain.backend.Owned;
import convtrain.config.RunConfig;
import convtrain.graph.DataPlacement;
import convtrain.graph.ModelGraph;
import convtrain.plan.Plan;
import convtrain.plan.PlanCompiler;
import convtrain.plan.PlanOptions;
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
  private final PlanOptions options;
  private final Feed feed;
  private final Owned owned = new Owned();
  private final Map<Integer, Plan> bySize = new LinkedHashMap<>();

  /**
   * @param options of the largest batch's plan, all but the feed
   * @param placement where the samples are kept
   */
  private Plans(
      Backend backend,
      ModelGraph graph,
      RunState state,
      PlanOptions options,
      DataPlacement placement) {
    this.backend = backend;
    this.graph = graph;
    this.state = state;
    feed = owned.add(backend.feed(graph.input().elements(), options.batchSize(), placement));
    this.options = options.withFeed(feed);
  }

  /** What a run trains with. */
  static Plans ofTraining(Backend backend, RunSetup setup, RunState state) {
    RunConfig run = setup.run();
    PlanOptions options =
        new PlanOptions(
            setup.batchSize(),
            run.train().loss(),
            true,
            setup.normalization(),
            null,
            run.seed(),
            run.data().augment(),
            run.train().mix());
    return new Plans(backend, setup.graph(), state, options, run.data().placement());
  }

  /**
   * What a network is scored with.
   *
   * @param batchSize of the largest batch
   */
  static Plans ofScoring(
      Backend backend, ModelGraph graph, RunState state, Scoring scoring, int batchSize) {
    PlanOptions options =
        new PlanOptions(
            batchSize,
            scoring.loss().forScoring(),
            false,
            scoring.normalization(),
            null,
            scoring.seed(),
            scoring.augment(),
            null);
    return new Plans(backend, graph, state, options, DataPlacement.AUTO);
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
    sizes(options.batchSize(), samples).forEach(this::of);
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
    return PlanCompiler.compile(backend, graph, state, options.withBatchSize(samples));
  }

  @Override
  public void close() {
    owned.close();
  }
}
