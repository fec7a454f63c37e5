package convtrain.bench;

import convtrain.backend.Backend;
import convtrain.config.RunConfig;
import convtrain.train.EpochRecord;
import convtrain.train.TrainListener;
import convtrain.train.Trainer;
import java.util.List;
import java.util.function.BooleanSupplier;

/**
 * Trains until the test set's accuracy after an epoch reaches a target, or the run file's epochs
 * are over. So the test set decides when to stop: such a time is a race against a mark, not an
 * estimate of how well the network does on new data.
 */
public final class TimeToAccuracy {
  /** Accuracies are ratios of whole numbers; a percentage is not exact in binary. */
  private static final double ROUNDING = 1e-9;

  /**
   * How it went.
   *
   * @param targetPercent test accuracy to reach
   * @param epochs done until then, or all
   * @param trainingSeconds of the epochs' steps alone
   * @param scoringSeconds of the test set after each epoch
   * @param processSeconds from the start of the process, with everything, until it was known
   * @param testAccuracy after the last epoch, 0 to 1
   * @param bestTestAccuracy of any epoch
   * @param startUp where the time went until the first step was done
   */
  public record Result(
      String device,
      int threads,
      long seed,
      double targetPercent,
      boolean reached,
      int epochs,
      double trainingSeconds,
      double scoringSeconds,
      double processSeconds,
      double testAccuracy,
      double bestTestAccuracy,
      List<Double> epochSeconds,
      List<Double> testAccuracies,
      List<StartUp.Stage> startUp) {}

  private TimeToAccuracy() {}

  /**
   * Trains and measures.
   *
   * @param startUp of the process, up to where the backend and the data are ready
   * @param stop asked before each step
   * @return null if it was stopped
   */
  public static Result measure(
      Backend backend,
      RunConfig run,
      Trainer.Data data,
      StartUp startUp,
      int threads,
      double targetPercent,
      BooleanSupplier stop) {
    Watch watch = new Watch(backend, startUp);
    Goal goal = new Goal(targetPercent, watch, startUp);
    try (Trainer trainer = new Trainer(backend, run, data, goal)) {
      trainer.plan();
      startUp.done("plan");
      trainer.train(() -> goal.isReached() || watch.getAsBoolean() || stop.getAsBoolean());
      if (!goal.isReached() && !trainer.isComplete()) {
        return null;
      }
      return result(backend, run, threads, targetPercent, trainer, goal.processSeconds(), startUp);
    }
  }

  private static Result result(
      Backend backend,
      RunConfig run,
      int threads,
      double targetPercent,
      Trainer trainer,
      double processSeconds,
      StartUp startUp) {
    List<EpochRecord> epochs = trainer.history();
    List<Double> accuracies = epochs.stream().map(EpochRecord::testAccuracy).toList();
    double last = accuracies.get(accuracies.size() - 1);
    return new Result(
        backend.description(),
        threads,
        run.seed(),
        targetPercent,
        reaches(last, targetPercent),
        epochs.size(),
        epochs.stream().mapToDouble(EpochRecord::trainSeconds).sum(),
        epochs.stream().mapToDouble(EpochRecord::testSeconds).sum(),
        processSeconds,
        last,
        accuracies.stream().mapToDouble(Double::doubleValue).max().orElseThrow(),
        epochs.stream().map(EpochRecord::trainSeconds).toList(),
        accuracies,
        startUp.stages());
  }

  static boolean reaches(double accuracy, double targetPercent) {
    return 100 * accuracy >= targetPercent - ROUNDING;
  }

  /** Passes on what happens, and knows when it is enough. */
  static final class Goal implements TrainListener {
    private final double targetPercent;
    private final TrainListener next;
    private final StartUp process;
    private double processSeconds;
    private boolean reached;

    Goal(double targetPercent, TrainListener next, StartUp process) {
      this.targetPercent = targetPercent;
      this.next = next;
      this.process = process;
    }

    /** Age of the process when the last accuracy was known. */
    double processSeconds() {
      return processSeconds;
    }

    boolean isReached() {
      return reached;
    }

    @Override
    public void step(int epoch, long step, long stepsPerEpoch, double loss, double accuracy) {
      next.step(epoch, step, stepsPerEpoch, loss, accuracy);
    }

    @Override
    public void epoch(EpochRecord epoch) {
      processSeconds = process.seconds();
      next.epoch(epoch);
      reached = reaches(epoch.testAccuracy(), targetPercent);
    }
  }
}
