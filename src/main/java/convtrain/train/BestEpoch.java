package convtrain.train;

import convtrain.config.Monitor;

/** The best epoch so far by a run's monitor; the first of equals. */
final class BestEpoch {
  private final Monitor monitor;
  private EpochRecord best;

  BestEpoch(Monitor monitor) {
    this.monitor = monitor;
  }

  void add(EpochRecord epoch) {
    if (best == null || isBetter(epoch.value(monitor), best.value(monitor))) {
      best = epoch;
    }
  }

  private boolean isBetter(double value, double than) {
    return monitor.lowerIsBetter() ? value < than : value > than;
  }

  /** Null before the first epoch's end. */
  EpochRecord get() {
    return best;
  }
}
