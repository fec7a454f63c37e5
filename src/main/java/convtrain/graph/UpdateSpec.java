package convtrain.graph;

/**
 * How gradients become weights: those of several batches are averaged, their norm is bounded, the
 * optimizer's formula is applied, and the weights' moving average follows.
 *
 * @param optimizer the formula
 * @param clipGradNorm bound C of the gradients' norm; null: none. As PyTorch's {@code
 *     clip_grad_norm_}, before weight decay:
 *     <pre>g = g min(1, C / (|g| + 1e-6)),   |g| = sqrt(sum of g^2 over all trained parameters)
 *     </pre>
 *
 * @param ema the moving average that is scored and saved; null: the weights themselves are
 * @param accumulateSteps batches whose gradients are averaged for one update
 */
public record UpdateSpec(
    OptimizerSpec optimizer, Double clipGradNorm, EmaSpec ema, int accumulateSteps) {
  /** The optimizer's formula alone. */
  public static UpdateSpec of(OptimizerSpec optimizer) {
    return new UpdateSpec(optimizer, null, null, 1);
  }

  public UpdateSpec {
    Check.given(optimizer, "optimizer");
    if (clipGradNorm != null) {
      Check.positive(clipGradNorm, "clip_grad_norm");
    }
    Check.atLeast(1, accumulateSteps, "accumulate_steps");
  }

  /** Whether updates take the gradients of more than one batch. */
  public boolean accumulates() {
    return accumulateSteps > 1;
  }
}
