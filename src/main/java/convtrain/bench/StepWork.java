package convtrain.bench;

import convtrain.graph.ModelGraph;
import convtrain.plan.Plan;

/**
 * What an epoch has to do at least.
 *
 * @param flops floating-point operations of its products
 * @param bytes moved between the device's memory and its cores
 */
record StepWork(double flops, double bytes) {
  /** Output, input gradient and weight gradient each take a layer's multiply-adds. */
  private static final int FLOPS_PER_MAC = 2 * 3;

  /** Each activation written and read once forward, and once backward. */
  private static final int PASSES = 4;

  /** By the epoch's samples; a last, smaller batch so counts as what it is. */
  static StepWork ofEpoch(ModelGraph graph, Plan plan, int samples) {
    return new StepWork(
        (double) FLOPS_PER_MAC * graph.macs() * samples,
        bytesPerStep(plan) * samples / plan.batchSize());
  }

  /**
   * Of one step: {@link #PASSES} times the network's input and the output of each op of the forward
   * pass, layers that are one op counted once. Parameters, which a step touches but a few times,
   * are left out.
   */
  static double bytesPerStep(Plan plan) {
    return (double) PASSES * plan.activationBytes();
  }
}
