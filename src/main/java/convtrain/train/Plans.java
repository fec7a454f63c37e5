package convtrain.train;

import convtrain.backend.Backend;
import convtrain.backend.OpFactory.HostBatch;
import convtrain.backend.OpFactory.Normalization;
import convtrain.graph.ModelGraph;
import convtrain.graph.OptimizerSpec;
import convtrain.plan.Plan;
import convtrain.plan.PlanCompiler;
import convtrain.plan.RunState;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The plans of one network over one run state: one for each batch size that occurs (a full batch,
 * an epoch's last smaller one), made at first use, all reading the same host batch.
 */
final class Plans implements AutoCloseable {
  private final Backend backend;
  private final ModelGraph graph;
  private final RunState state;
  private final OptimizerSpec optimizer;
  private final Normalization normalization;
  private final HostBatch host;
  private final long seed;
  private final Map<Integer, Plan> bySize = new LinkedHashMap<>();

  /**
   * @param optimizer the update formula of training plans; null makes evaluation plans
   * @param batchSize of the largest batch
   */
  Plans(
      Backend backend,
      ModelGraph graph,
      RunState state,
      OptimizerSpec optimizer,
      Normalization normalization,
      int batchSize,
      long seed) {
    this.backend = backend;
    this.graph = graph;
    this.state = state;
    this.optimizer = optimizer;
    this.normalization = normalization;
    this.seed = seed;
    ByteBuffer images = backend.hostBuffer(Math.multiplyExact(batchSize, graph.input().elements()));
    ByteBuffer labels = backend.hostBuffer(Math.multiplyExact(batchSize, Integer.BYTES));
    host = new HostBatch(images, labels);
  }

  /** Where the next batch is to be written. */
  HostBatch host() {
    return host;
  }

  /** The plan for a batch of this many samples. */
  Plan of(int samples) {
    Plan plan = bySize.get(samples);
    if (plan == null) {
      PlanCompiler.Options options =
          new PlanCompiler.Options(samples, optimizer, normalization, host, seed);
      plan = PlanCompiler.compile(backend, graph, state, options);
      bySize.put(samples, plan);
    }
    return plan;
  }

  @Override
  public void close() {
    bySize.values().forEach(Plan::close);
  }
}
