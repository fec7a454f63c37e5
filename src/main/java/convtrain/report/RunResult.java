package convtrain.report;

import convtrain.config.Keep;
import convtrain.config.RunConfig;
import convtrain.train.EpochRecord;
import java.util.List;

/**
 * {@code result.json}: what came out of a run that is over.
 *
 * @param status {@code completed}, {@code stopped_early} (by early stopping) or {@code diverged}
 * @param message why, of a run that diverged; else null
 * @param epochs epochs done
 * @param keptEpoch the epoch whose weights the model file holds and whose numbers follow; null if
 *     there is none
 * @param keptBy {@code last}, or the monitor by which it was chosen
 * @param chosenOnTest whether the test set had a say, so that its numbers are too good
 * @param trainSeconds of all epochs together
 * @param testSeconds spent on scoring
 */
public record RunResult(
    String status,
    String message,
    int epochs,
    Integer keptEpoch,
    String keptBy,
    boolean chosenOnTest,
    Double trainLoss,
    Double trainAccuracy,
    Double validationLoss,
    Double validationAccuracy,
    Double testLoss,
    Double testAccuracy,
    double trainSeconds,
    double testSeconds) {
  /**
   * @param status see the component
   * @param message see the component
   * @param history all epochs done
   * @param kept one of them; null if there is none
   */
  public static RunResult of(
      RunConfig run, String status, String message, List<EpochRecord> history, EpochRecord kept) {
    return new RunResult(
        status,
        message,
        history.size(),
        kept == null ? null : kept.epoch(),
        run.train().keep() == Keep.BEST ? run.train().monitor().word() : "last",
        run.train().choosesOnTest(),
        kept == null ? null : kept.trainLoss(),
        kept == null ? null : kept.trainAccuracy(),
        kept == null ? null : kept.validationLoss(),
        kept == null ? null : kept.validationAccuracy(),
        kept == null ? null : kept.testLoss(),
        kept == null ? null : kept.testAccuracy(),
        history.stream().mapToDouble(EpochRecord::trainSeconds).sum(),
        history.stream().mapToDouble(EpochRecord::testSeconds).sum());
  }

  /** Whether training went its way to the end. */
  public boolean trained() {
    return !status.equals("diverged");
  }
}
