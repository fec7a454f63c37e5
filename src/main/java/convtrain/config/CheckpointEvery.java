package convtrain.config;

import convtrain.graph.Check;

/**
 * How often a run writes what it needs to go on exactly: after so many epochs or so many steps, one
 * of the two.
 *
 * @param epochs default 1
 * @param steps batches, counted from the beginning of the run; null where epochs count
 */
public record CheckpointEvery(Integer epochs, Integer steps) {
  public CheckpointEvery {
    if (epochs != null && steps != null) {
      throw new IllegalArgumentException(
          "steps=%d stands beside epochs=%d; give one of them".formatted(steps, epochs));
    }
    if (steps == null) {
      epochs = Check.atLeast(1, Check.or(epochs, 1), "epochs");
    } else {
      Check.atLeast(1, steps, "steps");
    }
  }

  /** Whether one is due after a step. */
  public boolean afterStep(long step) {
    return steps != null && step % steps == 0;
  }

  /** Whether one is due after an epoch. */
  public boolean afterEpoch(int epoch) {
    return epochs != null && epoch % epochs == 0;
  }
}
