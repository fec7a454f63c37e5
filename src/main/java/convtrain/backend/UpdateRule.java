package convtrain.backend;

import convtrain.graph.OptimizerSpec;
import convtrain.graph.UpdateSpec;

/**
 * What an update computes.
 *
 * @param optimizer the formula
 * @param clipGradNorm bound of the gradients' norm, see {@link UpdateSpec}; null: none
 * @param decayed how many floats weight decay applies to: those that stand first
 */
public record UpdateRule(OptimizerSpec optimizer, Double clipGradNorm, long decayed) {
  /** The optimizer's formula alone, with weight decay for all. */
  public static UpdateRule of(OptimizerSpec optimizer) {
    return new UpdateRule(optimizer, null, Long.MAX_VALUE);
  }
}
