package convtrain.train;

import convtrain.backend.Backend;
import convtrain.backend.Owned;
import convtrain.backend.StepMetrics;
import convtrain.config.CheckpointEvery;
import convtrain.config.LearningRates;
import convtrain.config.RunConfig;
import convtrain.config.RunConfigLoader;
import convtrain.data.Dataset;
import convtrain.data.Sampler;
import convtrain.plan.Plan;
import convtrain.plan.RunState;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;

/**
 * Trains a network: for each epoch, every batch through the plan, then the scores on the test set
 * (and the validation split). One thread; a step allocates nothing. Metrics are read back ten times
 * a second for the progress bar and to notice a loss that is no longer finite.
 */
public final class Trainer implements AutoCloseable {
  /**
   * What is learnt from and scored on.
   *
   * @param validation null without a validation split
   */
  public record Data(Dataset train, Dataset validation, Dataset test) {}

  private final Backend backend;
  private final RunConfig run;
  private final Data data;
  private final TrainListener listener;
  private final RunSetup setup;
  private final Sampler sampler;
  private final DatasetSamples samples;
  private LearningRates rates;
  private final CheckpointEvery checkpoints;
  private final int accumulateSteps;
  private final Owned owned = new Owned();
  private final RunState state;
  private final Progress progress;
  private final Soundness soundness;
  private final Plans plans;
  private final EpochScorer scorer;
  private final Course course;
  private final EpochClock clock = new EpochClock();
  private int epochInProgress = 1;
  private int stepInProgress;

  /** Makes the plans' state and draws the initial weights. */
  public Trainer(Backend backend, RunConfig run, Data data, TrainListener listener) {
    this.backend = backend;
    this.run = run;
    this.data = data;
    this.listener = listener;
    setup = RunSetup.of(run, data.train());
    sampler = setup.sampler();
    rates = setup.rates();
    samples = new DatasetSamples(data.train());
    checkpoints = run.train().checkpointEvery();
    accumulateSteps = run.train().accumulateSteps();
    course = new Course(run.train());
    int updates = setup.scheduleSteps();
    try {
      state =
          owned.add(
              new RunState(
                  backend, setup.graph(), setup.batchSize(), run.train().update(), updates));
      soundness = new Soundness(state, course, sampler.stepsPerEpoch());
      progress =
          owned.add(new Progress(state.metricsReadback(backend), this::tell, System::nanoTime));
      state.setSchedule(rates.table(updates));
      state.initialize(run.seed());
      plans = owned.add(Plans.ofTraining(backend, setup, state));
      scorer = owned.add(new EpochScorer(backend, setup, state, data, soundness));
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, owned);
      throw e;
    }
  }

  /**
   * Starts from given weights instead of drawn ones.
   *
   * @throws SafeTensorsException naming the tensor that is missing, unknown or of another shape
   */
  public void load(SafeTensors weights) {
    Weights.load(weights, state);
  }

  /**
   * Starts from the weights in a file.
   *
   * @throws SafeTensorsException naming the file, and the tensor that is missing, unknown or of
   *     another shape
   */
  public void load(Path weights) throws IOException {
    Weights.load(weights, state);
  }

  /** The network's tensors as they stand. */
  public SafeTensors weights(Map<String, String> metadata) {
    return Weights.save(state, metadata);
  }

  /**
   * Goes on where a run of the same run file stood, to the bit.
   *
   * @throws IllegalArgumentException if the checkpoint is not of this network and optimizer
   */
  public void resume(Checkpoint checkpoint) {
    Position position = checkpoint.position();
    if (position.batch() >= sampler.stepsPerEpoch()) {
      throw new IllegalArgumentException(
          "batch %d of an epoch of %d; the data is not what it was"
              .formatted(position.batch(), sampler.stepsPerEpoch()));
    }
    checkpoint.restore(state);
    position.history().forEach(this::completed);
    epochInProgress = position.epoch();
    stepInProgress = position.batch();
    clock.set(position.trainSeconds());
  }

  /** All that {@link #resume} needs; waits for the device. */
  public Checkpoint checkpoint() {
    return Checkpoint.of(
        RunConfigLoader.toJson(run),
        new Position(epochInProgress, stepInProgress, clock.seconds(), course.epochs()),
        state);
  }

  private void completed(EpochRecord epoch) {
    course.add(epoch);
    if (course.baseLr() != rates.base()) {
      rates = rates.from(course.baseLr());
      state.setSchedule(rates.table(setup.scheduleSteps()));
    }
  }

  /**
   * Trains until the last epoch is done, early stopping ends the run, or {@code stop} says so,
   * which is asked before each step.
   *
   * @return whether the run is complete
   * @throws TrainingDivergedException if the loss or a weight becomes NaN or infinite
   */
  public boolean train(BooleanSupplier stop) {
    listener.started(
        new TrainStart(
            run.train().epochs(),
            sampler.samplesPerEpoch(),
            setup.batchSize(),
            stepInProgress,
            data.validation() != null));
    makePlans();
    while (!isComplete()) {
      if (!trainEpoch(epochInProgress, stop)) {
        return false;
      }
    }
    return true;
  }

  /** All that will be needed: what does not fit ends the run before it has cost an epoch. */
  private void makePlans() {
    plans.prepare(sampler.samplesPerEpoch());
    scorer.prepare();
  }

  /** Whether it stands behind the first step. */
  public boolean hasBegun() {
    return stepInProgress > 0 || course.last() != null;
  }

  /** Whether nothing is left to train. */
  public boolean isComplete() {
    return course.isComplete();
  }

  /** Whether early stopping ended the run before its last epoch. */
  public boolean stoppedEarly() {
    return course.stoppedEarly();
  }

  private boolean trainEpoch(int epoch, BooleanSupplier stop) {
    begin(epoch);
    for (int n = plans.feed().next(); n > 0; n = plans.feed().next()) {
      if (stop.getAsBoolean()) {
        pause(epoch);
        return false;
      }
      stepInProgress++;
      step(plans.of(n));
      progress.stepDone(stepInProgress);
      if (stepInProgress < sampler.stepsPerEpoch() && checkpoints.afterStep(stepsDone())) {
        pause(epoch);
        listener.checkpointDue();
        clock.start();
      }
    }
    StepMetrics metrics = pause(epoch);
    tell(epoch, stepInProgress, metrics);
    end(scorer.score(epoch, rates, metrics, clock.seconds()));
    return true;
  }

  /** Begins an epoch, or goes on with it. */
  private void begin(int epoch) {
    if (stepInProgress == 0) {
      state.clearMetrics();
    }
    startFeed(epoch);
    progress.begin(epoch);
    clock.start();
  }

  /** An update follows every so many batches, and the epoch's last one. */
  private void step(Plan plan) {
    if (stepInProgress % accumulateSteps == 0 || stepInProgress == sampler.stepsPerEpoch()) {
      plan.step();
    } else {
      plan.accumulate();
    }
  }

  /** Brings the epoch's batches that are not trained yet. */
  private void startFeed(int epoch) {
    int[] order = sampler.order(epoch);
    int done = Math.multiplyExact(stepInProgress, setup.batchSize());
    if (done > 0) {
      order = Arrays.copyOfRange(order, done, order.length);
    }
    plans.feed().start(samples, order, sampler.samplesPerEpoch() - done, epoch);
  }

  private long stepsDone() {
    return (epochInProgress - 1L) * sampler.stepsPerEpoch() + stepInProgress;
  }

  private void end(EpochRecord epoch) {
    boolean due = checkpoints.afterEpoch(epoch.epoch()) || checkpoints.afterStep(stepsDone());
    completed(epoch);
    epochInProgress++;
    stepInProgress = 0;
    clock.set(0);
    listener.epoch(epoch);
    if (due || isComplete()) {
      listener.checkpointDue();
    }
  }

  private void tell(int epoch, int step, StepMetrics metrics) {
    soundness.checkLoss(epoch, metrics);
    listener.step(epoch, step, sampler.stepsPerEpoch(), metrics.loss(), metrics.accuracy());
  }

  /** Waits for the steps, stops the clock and makes sure of what they left. */
  private StepMetrics pause(int epoch) {
    backend.synchronize();
    StepMetrics metrics = state.metrics();
    soundness.checkLoss(epoch, metrics);
    soundness.checkWeights(epoch);
    clock.stop();
    return metrics;
  }

  /** The last completed epoch, or null. */
  public EpochRecord lastEpoch() {
    return course.last();
  }

  /**
   * The epoch whose weights the run keeps if it ends now: the last, or with {@code keep: best} the
   * best so far; null before the first.
   */
  public EpochRecord keptEpoch() {
    return course.kept();
  }

  /** The epochs that were completed, in order. */
  public List<EpochRecord> history() {
    return course.epochs();
  }

  /** Layers whose op falls back on the library's reference loops, far slower than the rest. */
  public List<String> referenceOps() {
    return plan().referenceOps();
  }

  /** The plan of a full batch, made now if it is not yet. */
  public Plan plan() {
    return plans.of(setup.batchSize());
  }

  /** Samples of a full batch: the run file's batch size, or all samples if they are fewer. */
  public int batchSize() {
    return setup.batchSize();
  }

  /** Samples that an epoch trains on. */
  public int samplesPerEpoch() {
    return sampler.samplesPerEpoch();
  }

  /** Steps of one epoch, a last smaller batch's included. */
  public int stepsPerEpoch() {
    return sampler.stepsPerEpoch();
  }

  /** {@code epoch 3, step 120 of 469}: how far training came. */
  public String position() {
    boolean betweenEpochs = stepInProgress == 0 && course.last() != null;
    return "epoch %d, step %d of %d"
        .formatted(
            betweenEpochs ? epochInProgress - 1 : epochInProgress,
            betweenEpochs ? sampler.stepsPerEpoch() : stepInProgress,
            sampler.stepsPerEpoch());
  }

  @Override
  public void close() {
    owned.close();
  }
}
