package convtrain.bench;

import java.util.List;

/**
 * What came out of timing one training's epochs.
 *
 * @param device in words, with its library's version
 * @param threads CPU threads of the backend
 * @param samples that an epoch trains on
 * @param steps of an epoch
 * @param epochSeconds of the epochs that count: their steps, without scoring
 * @param notCountedSeconds of those before
 * @param rates at the median
 * @param ceilings of the device, measured after the training in the same process
 * @param startUp where the time went from the start of the process to the end of the first step
 * @param accuracy of the last epoch
 */
public record EpochResult(
    String device,
    int threads,
    String precision,
    int batchSize,
    long parameters,
    int samples,
    int steps,
    EpochTimes epochSeconds,
    List<Double> notCountedSeconds,
    Rates rates,
    Ceilings ceilings,
    Busy busy,
    Memory memory,
    List<StartUp.Stage> startUp,
    Accuracy accuracy,
    Clocks clocks) {

  /**
   * What the device did, and how near that is to what it can.
   *
   * @param flopsPerEpoch of the products, see {@link OpCosts}
   * @param bytesPerEpoch that the ops must read and write at the least, see {@link OpCosts}
   * @param flopsShare of {@link Ceilings#flopsPerSecond}
   * @param bytesShare of {@link Ceilings#bytesPerSecond}
   * @param floorSeconds that the epoch would take at {@link Ceilings#flopsPerSecond}
   * @param timesFloor the epoch's time over it
   */
  public record Rates(
      double imagesPerSecond,
      double flopsPerEpoch,
      double bytesPerEpoch,
      double flopsPerSecond,
      double bytesPerSecond,
      double flopsShare,
      double bytesShare,
      double floorSeconds,
      double timesFloor) {
    static Rates of(EpochWork epoch, Ceilings ceilings, double seconds, int samples) {
      double flops = epoch.flops() / seconds;
      double bytes = epoch.bytes() / seconds;
      double floor = epoch.flops() / ceilings.flopsPerSecond();
      return new Rates(
          samples / seconds,
          epoch.flops(),
          epoch.bytes(),
          flops,
          bytes,
          flops / ceilings.flopsPerSecond(),
          bytes / ceilings.bytesPerSecond(),
          floor,
          seconds / floor);
    }
  }

  /** How much of the time was computed, 0 to 1; what that means differs between devices. */
  public record Busy(String what, double share) {
    static final String DEVICE = "device time between events around steps / wall time";
    static final String PROCESSOR = "processor time of the process / (wall time x threads)";
  }

  /**
   * Peaks, in bytes.
   *
   * @param deviceBytes of what was allocated for tensors and libraries on the device
   * @param residentBytes of the whole process; null where the system does not tell
   */
  public record Memory(long deviceBytes, Long residentBytes) {}

  /** From 0 to 1; train: of the batches as they were trained; test: of the weights after them. */
  public record Accuracy(double train, double test) {}

  /**
   * The same run by several clocks.
   *
   * @param trainingSeconds all epochs' steps, those not counted included
   * @param scoringSeconds the test set after each epoch
   * @param processSeconds from the start of the process to the end of the last scoring
   */
  public record Clocks(double trainingSeconds, double scoringSeconds, double processSeconds) {}

  /** Seconds to the end of the first step. */
  double startUpSeconds() {
    return startUp.stream().mapToDouble(StartUp.Stage::seconds).sum();
  }
}
