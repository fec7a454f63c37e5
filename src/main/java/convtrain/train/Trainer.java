package convtrain.train;

import convtrain.backend.Backend;
import convtrain.backend.OpFactory.Normalization;
import convtrain.backend.Owned;
import convtrain.backend.Readback;
import convtrain.backend.StepMetrics;
import convtrain.config.ConfigException;
import convtrain.config.LearningRates;
import convtrain.config.RunConfig;
import convtrain.data.Dataset;
import convtrain.data.Sampler;
import convtrain.graph.ModelGraph;
import convtrain.plan.Plan;
import convtrain.plan.RunState;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.BooleanSupplier;

/**
 * Trains a network: for each epoch, every batch through the plan, then the scores on the test set
 * (and the validation split). One thread; a step allocates nothing. Metrics are read back ten times
 * a second for the progress bar and to notice a loss that is no longer finite.
 */
public final class Trainer implements AutoCloseable {
  private static final long PROGRESS_NANOS = 100_000_000;

  /** The schedule's table holds 8 bytes for each step. */
  private static final long MAX_STEPS = 100_000_000;

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
  private final ModelGraph graph;
  private final Sampler sampler;
  private final DatasetSamples samples;
  private final LearningRates rates;
  private final int batchSize;
  private final int accumulateSteps;
  private final Owned owned = new Owned();
  private final RunState state;
  private final Readback progress;
  private final Plans plans;
  private final Evaluator evaluator;
  private EpochRecord lastEpoch;
  private int epochInProgress;
  private long stepInProgress;

  /** Makes the plans' state and draws the initial weights. */
  public Trainer(Backend backend, RunConfig run, Data data, TrainListener listener) {
    this.backend = backend;
    this.run = run;
    this.data = data;
    this.listener = listener;
    graph = ModelGraph.of(run.model());
    batchSize = Math.min(run.train().batchSize(), data.train().size());
    samples = new DatasetSamples(data.train());
    sampler =
        new Sampler(
            data.train(), batchSize, run.data().shuffle(), run.data().dropLast(), run.seed());
    accumulateSteps = run.train().accumulateSteps();
    int updatesPerEpoch = (sampler.stepsPerEpoch() + accumulateSteps - 1) / accumulateSteps;
    rates = run.train().learningRates(updatesPerEpoch);
    float[] schedule = table(rates);
    Normalization normalization = normalization(run, graph);
    try {
      state =
          owned.add(new RunState(backend, graph, batchSize, run.train().update(), rates.steps()));
      progress = owned.add(state.metricsReadback(backend));
      state.setSchedule(schedule);
      state.initialize(run.seed());
      plans =
          owned.add(
              new Plans(
                  backend,
                  graph,
                  state,
                  run.train().loss(),
                  true,
                  normalization,
                  batchSize,
                  run.data().placement(),
                  run.seed()));
      evaluator =
          owned.add(new Evaluator(backend, graph, state, run.train().loss(), normalization));
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, owned);
      throw e;
    }
  }

  /** How the run file turns bytes into the network's input. */
  public static Normalization normalization(RunConfig run, ModelGraph graph) {
    return new Normalization(
        graph.input(),
        run.data().normalize().means(graph.input()),
        run.data().normalize().stds(graph.input()));
  }

  private static float[] table(LearningRates rates) {
    if (rates.steps() > MAX_STEPS) {
      throw new ConfigException(
          "train.epochs=%d of %d steps are %d steps; expected at most %d"
              .formatted(rates.epochs(), rates.stepsPerEpoch(), rates.steps(), MAX_STEPS));
    }
    float[] table = new float[Math.toIntExact(2 * rates.steps())];
    for (int step = 0; step < rates.steps(); step++) {
      table[2 * step] = (float) rates.lr(step);
      table[2 * step + 1] = (float) rates.momentum(step);
    }
    return table;
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
   * Trains until the last epoch is done or {@code stop} says so, which is asked before each step.
   *
   * @return whether all epochs were completed
   * @throws TrainingDivergedException if the loss or a weight becomes NaN or infinite
   */
  public boolean train(BooleanSupplier stop) {
    listener.started(
        new TrainStart(
            run.train().epochs(),
            sampler.samplesPerEpoch(),
            run.train().batchSize(),
            data.validation() != null));
    for (int epoch = 1; epoch <= run.train().epochs(); epoch++) {
      if (!trainEpoch(epoch, stop)) {
        return false;
      }
    }
    return true;
  }

  private boolean trainEpoch(int epoch, BooleanSupplier stop) {
    epochInProgress = epoch;
    stepInProgress = 0;
    state.clearMetrics();
    plans.feed().start(samples, sampler.order(epoch), sampler.samplesPerEpoch());
    long started = System.nanoTime();
    long shown = started;
    for (int n = plans.feed().next(); n > 0; n = plans.feed().next()) {
      if (stop.getAsBoolean()) {
        checkedEnd(epoch);
        return false;
      }
      stepInProgress++;
      step(plans.of(n));
      long now = System.nanoTime();
      if (now - shown >= PROGRESS_NANOS) {
        shown = now;
        showProgress(epoch);
      }
    }
    StepMetrics metrics = checkedEnd(epoch);
    listener.step(
        epoch, stepInProgress, sampler.stepsPerEpoch(), metrics.loss(), metrics.accuracy());
    double trainSeconds = (System.nanoTime() - started) / 1e9;
    lastEpoch = score(epoch, metrics, trainSeconds);
    listener.epoch(lastEpoch);
    return true;
  }

  /** An update follows every so many batches, and the epoch's last one. */
  private void step(Plan plan) {
    if (stepInProgress % accumulateSteps == 0 || stepInProgress == sampler.stepsPerEpoch()) {
      plan.step();
    } else {
      plan.accumulate();
    }
  }

  private void showProgress(int epoch) {
    progress.request();
    ByteBuffer bytes = progress.poll();
    if (bytes == null) {
      return;
    }
    StepMetrics metrics = checked(epoch, StepMetrics.of(bytes));
    listener.step(
        epoch, stepInProgress, sampler.stepsPerEpoch(), metrics.loss(), metrics.accuracy());
  }

  private StepMetrics checked(int epoch, StepMetrics metrics) {
    if (metrics.firstBadStep() >= 0) {
      long inEpoch = metrics.firstBadStep() - (epoch - 1L) * sampler.stepsPerEpoch() + 1;
      throw TrainingDivergedException.loss(epoch, inEpoch, sampler.stepsPerEpoch(), lastEpoch);
    }
    return metrics;
  }

  private StepMetrics checkedEnd(int epoch) {
    backend.synchronize();
    StepMetrics metrics = checked(epoch, state.metrics());
    // A ReLU turns NaN into 0, so a finite loss does not prove the weights sound.
    String spoilt = Weights.firstNotFinite(state);
    if (spoilt != null) {
      throw TrainingDivergedException.weights(epoch, spoilt, lastEpoch);
    }
    return metrics;
  }

  private EpochRecord score(int epoch, StepMetrics train, double trainSeconds) {
    long started = System.nanoTime();
    StepMetrics test = scored("test", data.test(), epoch);
    StepMetrics validation =
        data.validation() == null ? null : scored("validation", data.validation(), epoch);
    long step = state.step();
    return new EpochRecord(
        epoch,
        run.train().epochs(),
        step,
        rates.lr(step - 1),
        train.loss(),
        train.accuracy(),
        test.loss(),
        test.accuracy(),
        trainSeconds,
        (System.nanoTime() - started) / 1e9,
        train.samples() / trainSeconds,
        validation == null ? null : validation.loss(),
        validation == null ? null : validation.accuracy());
  }

  private StepMetrics scored(String split, Dataset samples, int epoch) {
    StepMetrics metrics = evaluator.score(samples);
    if (!Double.isFinite(metrics.loss())) {
      throw TrainingDivergedException.score(split, epoch, lastEpoch);
    }
    return metrics;
  }

  /** The last completed epoch, or null. */
  public EpochRecord lastEpoch() {
    return lastEpoch;
  }

  /** Layers whose op falls back on the library's reference loops, far slower than the rest. */
  public List<String> referenceOps() {
    return plans.of(batchSize).referenceOps();
  }

  /** Steps of one epoch, a last smaller batch's included. */
  public int stepsPerEpoch() {
    return sampler.stepsPerEpoch();
  }

  /** {@code epoch 3, step 120 of 469}: how far training came. */
  public String position() {
    return "epoch %d, step %d of %d"
        .formatted(epochInProgress, stepInProgress, sampler.stepsPerEpoch());
  }

  @Override
  public void close() {
    owned.close();
  }
}
