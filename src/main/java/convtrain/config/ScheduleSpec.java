package convtrain.config;

import com.fasterxml.jackson.annotation.JsonProperty;
import com.fasterxml.jackson.annotation.JsonTypeInfo;
import com.fasterxml.jackson.annotation.JsonTypeName;
import convtrain.graph.Check;
import java.util.List;

/**
 * The course of the learning rate over a run, stepped with each update of the weights: PyTorch's
 * names, defaults and formulas.
 *
 * <p>t is the update, T the updates of the run, e = floor(t / updates per epoch) the epoch, all
 * from 0; without {@code accumulate_steps} an update follows each batch. Every schedule takes
 * {@code warmup_steps} (default 0): while t is below it, its value is multiplied by (t + 1) /
 * warmup_steps, as if chained with PyTorch's {@code LinearLR}.
 */
@JsonTypeInfo(use = JsonTypeInfo.Id.NAME, property = "type")
public sealed interface ScheduleSpec {
  /** Steps over which the learning rate rises linearly to the schedule's own value. */
  Integer warmupSteps();

  /**
   * Learning rate before warm-up.
   *
   * @param base the optimizer's lr
   * @param step t
   * @param run gives T and the steps per epoch
   */
  double lr(double base, long step, LearningRates run);

  /** Momentum or beta1; {@code base} is the optimizer's. */
  default double momentum(double base, long step, LearningRates run) {
    return base;
  }

  /** Whether {@link #momentum} departs from the optimizer's. */
  default boolean cyclesMomentum() {
    return false;
  }

  /** lr. */
  @JsonTypeName("constant")
  record Constant(Integer warmupSteps) implements ScheduleSpec {
    public Constant {
      warmupSteps = checkedWarmup(warmupSteps);
    }

    @Override
    public double lr(double base, long step, LearningRates run) {
      return base;
    }
  }

  /** lr gamma^floor(e / step_size). */
  @JsonTypeName("step")
  record Step(@JsonProperty(required = true) Integer stepSize, Double gamma, Integer warmupSteps)
      implements ScheduleSpec {
    public Step {
      stepSize = Check.atLeast(1, Check.given(stepSize, "step_size"), "step_size");
      gamma = Check.positive(Check.or(gamma, 0.1), "gamma");
      warmupSteps = checkedWarmup(warmupSteps);
    }

    @Override
    public double lr(double base, long step, LearningRates run) {
      long epoch = step / run.stepsPerEpoch();
      return base * Math.pow(gamma, epoch / stepSize);
    }
  }

  /** lr gamma^(number of milestones that e has reached); milestones are epochs, ascending. */
  @JsonTypeName("multi_step")
  record MultiStep(
      @JsonProperty(required = true) List<Integer> milestones, Double gamma, Integer warmupSteps)
      implements ScheduleSpec {
    public MultiStep {
      milestones = List.copyOf(Check.given(milestones, "milestones"));
      for (int i = 0; i < milestones.size(); i++) {
        if (milestones.get(i) < 1 || i > 0 && milestones.get(i) <= milestones.get(i - 1)) {
          throw new IllegalArgumentException(
              "milestones=" + milestones + "; expected epochs of at least 1 in ascending order");
        }
      }
      gamma = Check.positive(Check.or(gamma, 0.1), "gamma");
      warmupSteps = checkedWarmup(warmupSteps);
    }

    @Override
    public double lr(double base, long step, LearningRates run) {
      long epoch = step / run.stepsPerEpoch();
      return base * Math.pow(gamma, milestones.stream().filter(m -> m <= epoch).count());
    }
  }

  /** eta_min + (lr - eta_min) (1 + cos(pi t / T)) / 2. */
  @JsonTypeName("cosine")
  record Cosine(Double etaMin, Integer warmupSteps) implements ScheduleSpec {
    public Cosine {
      etaMin = Check.nonNegative(Check.or(etaMin, 0.0), "eta_min");
      warmupSteps = checkedWarmup(warmupSteps);
    }

    @Override
    public double lr(double base, long step, LearningRates run) {
      return etaMin + (base - etaMin) * (1 + Math.cos(Math.PI * step / run.steps())) / 2;
    }
  }

  /**
   * From max_lr / div_factor up to max_lr at step pct_start T - 1, then down to max_lr /
   * (div_factor final_div_factor) at step T - 1; the optimizer's lr is not used.
   *
   * <p>With {@code cycle_momentum}, which is PyTorch's default, momentum (adam's and adamw's beta1)
   * moves against it: max_momentum, base_momentum, max_momentum, whatever the optimizer says.
   */
  @JsonTypeName("one_cycle")
  record OneCycle(
      @JsonProperty(required = true) Double maxLr,
      Double pctStart,
      Anneal annealStrategy,
      Double divFactor,
      Double finalDivFactor,
      Boolean cycleMomentum,
      Double baseMomentum,
      Double maxMomentum,
      Integer warmupSteps)
      implements ScheduleSpec {
    /** The curve between two of the cycle's values; x runs from 0 to 1. */
    public enum Anneal {
      /** end + (start - end) (1 + cos(pi x)) / 2. */
      @JsonProperty("cos")
      COS,
      /** start + (end - start) x. */
      @JsonProperty("linear")
      LINEAR;

      double between(double start, double end, double x) {
        return switch (this) {
          case COS -> end + (start - end) / 2 * (Math.cos(Math.PI * x) + 1);
          case LINEAR -> (end - start) * x + start;
        };
      }
    }

    public OneCycle {
      maxLr = Check.positive(Check.given(maxLr, "max_lr"), "max_lr");
      pctStart = Check.within(0, 1, Check.or(pctStart, 0.3), "pct_start");
      annealStrategy = Check.or(annealStrategy, Anneal.COS);
      divFactor = Check.positive(Check.or(divFactor, 25.0), "div_factor");
      finalDivFactor = Check.positive(Check.or(finalDivFactor, 1e4), "final_div_factor");
      cycleMomentum = Check.or(cycleMomentum, true);
      baseMomentum = checkedMomentum(Check.or(baseMomentum, 0.85), "base_momentum");
      maxMomentum = checkedMomentum(Check.or(maxMomentum, 0.95), "max_momentum");
      warmupSteps = checkedWarmup(warmupSteps);
    }

    @Override
    public boolean cyclesMomentum() {
      return cycleMomentum;
    }

    @Override
    public double lr(double base, long step, LearningRates run) {
      double start = maxLr / divFactor;
      return cycle(start, maxLr, start / finalDivFactor, step, run.steps());
    }

    @Override
    public double momentum(double base, long step, LearningRates run) {
      return cycleMomentum
          ? cycle(maxMomentum, baseMomentum, maxMomentum, step, run.steps())
          : base;
    }

    private double cycle(double start, double peak, double end, long step, long total) {
      double turn = pctStart * total - 1;
      if (step > turn) {
        return annealStrategy.between(peak, end, (step - turn) / (total - 1 - turn));
      }
      // A rise of a single step divides 0 by 0 in PyTorch; here that step has the start value.
      return step == 0 ? start : annealStrategy.between(start, peak, step / turn);
    }

    private static Double checkedMomentum(double value, String key) {
      if (!(value >= 0 && value < 1)) {
        throw new IllegalArgumentException(key + "=" + value + "; expected at least 0 and below 1");
      }
      return value;
    }
  }

  /**
   * lr until {@link TrainConfig#monitor} has not improved for more than {@code patience} epochs;
   * then lr = max(factor lr, min_lr), again and again. PyTorch's ReduceLROnPlateau: m is an
   * improvement over the best b if m < b (1 - threshold) (rel) or m < b - threshold (abs); for
   * accuracies m > b (1 + threshold), m > b + threshold. A change of lr by eps or less is left out.
   *
   * @param cooldown epochs after a fall that are not counted
   */
  @JsonTypeName("reduce_on_plateau")
  record ReduceOnPlateau(
      Double factor,
      Integer patience,
      Double threshold,
      ThresholdMode thresholdMode,
      Integer cooldown,
      Double minLr,
      Double eps,
      Integer warmupSteps)
      implements ScheduleSpec {
    /** What the threshold is a measure of. */
    public enum ThresholdMode {
      /** A share of the best value. */
      @JsonProperty("rel")
      REL,
      /** The difference itself. */
      @JsonProperty("abs")
      ABS
    }

    public ReduceOnPlateau {
      factor = Check.positive(Check.or(factor, 0.1), "factor");
      if (factor >= 1) {
        throw new IllegalArgumentException("factor=" + factor + "; expected above 0 and below 1");
      }
      patience = Check.atLeast(0, Check.or(patience, 10), "patience");
      threshold = Check.nonNegative(Check.or(threshold, 1e-4), "threshold");
      thresholdMode = Check.or(thresholdMode, ThresholdMode.REL);
      cooldown = Check.atLeast(0, Check.or(cooldown, 0), "cooldown");
      minLr = Check.nonNegative(Check.or(minLr, 0.0), "min_lr");
      eps = Check.nonNegative(Check.or(eps, 1e-8), "eps");
      warmupSteps = checkedWarmup(warmupSteps);
    }

    @Override
    public double lr(double base, long step, LearningRates run) {
      return base;
    }
  }

  private static Integer checkedWarmup(Integer warmupSteps) {
    return Check.atLeast(0, Check.or(warmupSteps, 0), "warmup_steps");
  }
}
