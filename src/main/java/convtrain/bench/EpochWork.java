package convtrain.bench;

import convtrain.graph.ModelGraph;
import convtrain.graph.UpdateSpec;
import convtrain.plan.Plan;

/**
 * What an epoch has to do at least: its steps' {@link OpCosts}.
 *
 * @param flops multiplications and additions of its products
 * @param bytes read and written by its ops, each tensor once
 */
record EpochWork(double flops, double bytes) {
  /** By the epoch's samples; a last, smaller batch so counts as what it is. */
  static EpochWork of(Plan plan, ModelGraph graph, UpdateSpec update, int samples) {
    OpCosts costs = new OpCosts(plan, graph, update);
    OpCost step = plan.steps().stream().map(costs::of).reduce(OpCost.NOTHING, OpCost::plus);
    double steps = (double) samples / plan.batchSize();
    return new EpochWork(step.flops() * steps, step.bytes() * steps);
  }
}
