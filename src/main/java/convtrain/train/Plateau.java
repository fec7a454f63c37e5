package convtrain.train;

import convtrain.config.Monitor;
import convtrain.config.ScheduleSpec.ReduceOnPlateau;
import convtrain.config.ScheduleSpec.ReduceOnPlateau.ThresholdMode;

/** The learning rate under {@link ReduceOnPlateau}, which has the formulas. */
final class Plateau {
  private final ReduceOnPlateau rule;
  private final Monitor monitor;
  private double lr;
  private double best;
  private int badEpochs;
  private int cooldown;

  Plateau(ReduceOnPlateau rule, Monitor monitor, double lr) {
    this.rule = rule;
    this.monitor = monitor;
    this.lr = lr;
    best = monitor.lowerIsBetter() ? Double.POSITIVE_INFINITY : Double.NEGATIVE_INFINITY;
  }

  void add(EpochRecord epoch) {
    double value = epoch.value(monitor);
    if (improves(value)) {
      best = value;
      badEpochs = 0;
    } else {
      badEpochs++;
    }
    if (cooldown > 0) {
      cooldown--;
      badEpochs = 0;
    }
    if (badEpochs > rule.patience()) {
      double lower = Math.max(lr * rule.factor(), rule.minLr());
      lr = lr - lower > rule.eps() ? lower : lr;
      cooldown = rule.cooldown();
      badEpochs = 0;
    }
  }

  private boolean improves(double value) {
    double margin = rule.threshold();
    if (rule.thresholdMode() == ThresholdMode.ABS) {
      return monitor.lowerIsBetter() ? value < best - margin : value > best + margin;
    }
    return monitor.lowerIsBetter() ? value < best * (1 - margin) : value > best * (1 + margin);
  }

  /** The learning rate of the epochs from here on, before warm-up. */
  double lr() {
    return lr;
  }
}
