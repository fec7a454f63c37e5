package convtrain.config;

import convtrain.graph.Check;
import convtrain.graph.OptimizerSpec;
import java.util.Objects;

/**
 * The learning rate and momentum of each step of one run, steps counted from 0. A step is an
 * update: a batch, or where gradients are accumulated, several.
 *
 * @param schedule their course
 * @param optimizer gives the momentum that holds where none is scheduled
 * @param base the learning rate that the schedule starts from
 * @param epochs of the run
 * @param stepsPerEpoch updates in one epoch
 */
public record LearningRates(
    ScheduleSpec schedule, OptimizerSpec optimizer, double base, int epochs, int stepsPerEpoch) {
  /** From the optimizer's own learning rate. */
  public LearningRates(
      ScheduleSpec schedule, OptimizerSpec optimizer, int epochs, int stepsPerEpoch) {
    this(schedule, optimizer, optimizer.lr(), epochs, stepsPerEpoch);
  }

  public LearningRates {
    Check.atLeast(1, epochs, "epochs");
    Check.atLeast(1, stepsPerEpoch, "steps per epoch");
  }

  /** The same from another base, as {@link ScheduleSpec.ReduceOnPlateau} goes on. */
  public LearningRates from(double newBase) {
    return new LearningRates(schedule, optimizer, newBase, epochs, stepsPerEpoch);
  }

  /** Steps of the whole run. */
  public long steps() {
    return (long) epochs * stepsPerEpoch;
  }

  /**
   * The learning rate of a step: the schedule's, during warm-up times {@code (step + 1) /
   * warmup_steps}.
   */
  public double lr(long step) {
    Objects.checkIndex(step, steps());
    double scheduled = schedule.lr(base, step, this);
    int warmupSteps = schedule.warmupSteps();
    return step < warmupSteps ? scheduled * (step + 1) / warmupSteps : scheduled;
  }

  /**
   * Learning rate and momentum of the first steps, one after the other; beyond the run's end those
   * of its last step.
   */
  public float[] table(int steps) {
    float[] table = new float[Math.multiplyExact(2, steps)];
    for (int step = 0; step < steps; step++) {
      long within = Math.min(step, steps() - 1);
      table[2 * step] = (float) lr(within);
      table[2 * step + 1] = (float) momentum(within);
    }
    return table;
  }

  /** Momentum, or Adam's beta1, of a step. */
  public double momentum(long step) {
    Objects.checkIndex(step, steps());
    return schedule.momentum(optimizer.momentumLike(), step, this);
  }
}
