package convtrain.bench;

import convtrain.backend.Backend;
import convtrain.train.EpochRecord;
import convtrain.train.TrainListener;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;

/**
 * Follows one training: when its first step was done, and the processor time that each epoch's
 * steps took. The trainer asks it before each step whether to stop.
 */
final class Watch implements TrainListener, BooleanSupplier {
  private static final com.sun.management.OperatingSystemMXBean SYSTEM =
      ManagementFactory.getPlatformMXBean(com.sun.management.OperatingSystemMXBean.class);

  /**
   * An epoch that is done.
   *
   * @param wallSeconds of its steps
   * @param processorSeconds that the process spent in that time on all its threads
   */
  record Epoch(EpochRecord record, double wallSeconds, double processorSeconds) {}

  private final Backend backend;
  private final StartUp startUp;
  private final List<Epoch> epochs = new ArrayList<>();
  private boolean firstStepDone;
  private boolean inEpoch;
  private long begunNanos;
  private long begunProcessorNanos;
  private double wallSeconds;
  private double processorSeconds;

  Watch(Backend backend, StartUp startUp) {
    this.backend = backend;
    this.startUp = startUp;
  }

  /** Never stops; before the second step it waits for the first. */
  @Override
  public boolean getAsBoolean() {
    if (!inEpoch) {
      inEpoch = true;
      begunNanos = System.nanoTime();
      begunProcessorNanos = SYSTEM.getProcessCpuTime();
    } else if (!firstStepDone) {
      backend.synchronize();
      endFirstStep();
    }
    return false;
  }

  private void endFirstStep() {
    firstStepDone = true;
    startUp.done("first step");
  }

  /** The last call of an epoch comes when its steps are done and before they are scored. */
  @Override
  public void step(int epoch, long step, long stepsPerEpoch, double loss, double accuracy) {
    if (step == stepsPerEpoch) {
      wallSeconds = (System.nanoTime() - begunNanos) / 1e9;
      processorSeconds = (SYSTEM.getProcessCpuTime() - begunProcessorNanos) / 1e9;
      if (!firstStepDone) {
        backend.synchronize();
        endFirstStep();
      }
    }
  }

  @Override
  public void epoch(EpochRecord record) {
    epochs.add(new Epoch(record, wallSeconds, processorSeconds));
    inEpoch = false;
  }

  /** Those that are done, in order. */
  List<Epoch> epochs() {
    return epochs;
  }
}
