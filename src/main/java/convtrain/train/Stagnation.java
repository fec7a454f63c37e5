package convtrain.train;

import convtrain.config.EarlyStopping;
import convtrain.config.Monitor;

/** Counts the epochs since a run's monitor last improved. */
final class Stagnation {
  private final EarlyStopping rule;
  private final Monitor monitor;
  private double best;
  private int epochsWithout;
  private boolean begun;

  /**
   * @param rule null if training never stops early
   */
  Stagnation(EarlyStopping rule, Monitor monitor) {
    this.rule = rule;
    this.monitor = monitor;
  }

  void add(EpochRecord epoch) {
    if (rule == null) {
      return;
    }
    double value = epoch.value(monitor);
    double gain = monitor.lowerIsBetter() ? best - value : value - best;
    if (!begun || gain > rule.minDelta()) {
      begun = true;
      best = value;
      epochsWithout = 0;
    } else {
      epochsWithout++;
    }
  }

  /** Whether the rule ends the run here. */
  boolean isOver() {
    return rule != null && epochsWithout >= rule.patience();
  }
}
