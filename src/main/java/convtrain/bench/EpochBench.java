package convtrain.bench;

import convtrain.backend.Backend;
import convtrain.config.RunConfig;
import convtrain.config.RunConfigLoader;
import convtrain.graph.ModelGraph;
import convtrain.train.EpochRecord;
import convtrain.train.TrainListener;
import convtrain.train.TrainStart;
import convtrain.train.Trainer;
import java.util.List;
import java.util.function.BooleanSupplier;

/**
 * Times the epochs of one training: some to warm up, then those that count. Where the device has a
 * clock of its own, one epoch between them tells how busy it is; it does not count, since marking
 * each step takes time.
 */
public final class EpochBench {
  private final Backend backend;
  private final Backend.BusyClock clock;
  private final MarkedBackend marked;
  private final RunConfig run;
  private final Trainer.Data data;
  private final StartUp startUp;
  private final Watch watch;
  private final int threads;
  private final int notCounted;
  private double busySeconds;

  private EpochBench(
      Backend backend,
      Backend.BusyClock clock,
      RunConfig run,
      Trainer.Data data,
      StartUp startUp,
      int threads,
      int warmup,
      int epochs) {
    this.backend = backend;
    this.clock = clock;
    this.data = data;
    this.startUp = startUp;
    this.threads = threads;
    marked = clock == null ? null : new MarkedBackend(backend, clock);
    watch = new Watch(backend, startUp);
    notCounted = warmup + (clock == null ? 0 : 1);
    this.run = lasting(run, notCounted + epochs);
  }

  /** The run with another number of epochs, over which its schedule then goes; all are trained. */
  private static RunConfig lasting(RunConfig run, int epochs) {
    List<String> overrides = List.of("train.epochs=" + epochs, "train.early_stopping=null");
    return RunConfigLoader.parse(run.name(), RunConfigLoader.toJson(run), overrides);
  }

  /**
   * Trains and measures.
   *
   * @param startUp of the process, up to where the backend and the data are ready
   * @param threads that the backend computes with
   * @param warmup epochs that do not count
   * @param epochs that count; at least 1
   * @param stop asked before each step
   * @return null if it was stopped
   */
  public static EpochResult measure(
      Backend backend,
      RunConfig run,
      Trainer.Data data,
      StartUp startUp,
      int threads,
      int warmup,
      int epochs,
      BooleanSupplier stop) {
    try (Backend.BusyClock clock = backend.busyClock()) {
      return new EpochBench(backend, clock, run, data, startUp, threads, warmup, epochs)
          .measure(stop);
    }
  }

  private EpochResult measure(BooleanSupplier stop) {
    try (Trainer trainer =
        new Trainer(clock == null ? backend : marked, run, data, new Listener())) {
      trainer.plan();
      startUp.done("plan");
      boolean completed = trainer.train(() -> watch.getAsBoolean() || stop.getAsBoolean());
      return completed ? result(trainer) : null;
    }
  }

  /** Marks the epoch before those that count. */
  private final class Listener implements TrainListener {
    @Override
    public void step(int epoch, long step, long stepsPerEpoch, double loss, double accuracy) {
      watch.step(epoch, step, stepsPerEpoch, loss, accuracy);
      if (clock != null && epoch == notCounted && step == stepsPerEpoch) {
        busySeconds = clock.seconds();
        marked.mark(false);
      }
    }

    @Override
    public void epoch(EpochRecord record) {
      watch.epoch(record);
      mark(record.epoch() + 1);
    }

    @Override
    public void started(TrainStart start) {
      mark(1);
    }

    private void mark(int nextEpoch) {
      if (clock != null && nextEpoch == notCounted) {
        marked.mark(true);
      }
    }
  }

  private EpochResult result(Trainer trainer) {
    double processSeconds = startUp.seconds();
    EpochResult.Memory memory =
        new EpochResult.Memory(backend.peakBytes(), ProcessMemory.peakBytes());
    List<Watch.Epoch> all = watch.epochs();
    List<Watch.Epoch> counted = all.subList(notCounted, all.size());
    EpochTimes times = EpochTimes.of(counted.stream().map(EpochBench::seconds).toList());
    EpochRecord last = trainer.lastEpoch();
    int samples = trainer.samplesPerEpoch();
    EpochWork work =
        EpochWork.of(trainer.plan(), ModelGraph.of(run.model()), run.train().update(), samples);
    Ceilings ceilings = Ceilings.measure(backend);
    return new EpochResult(
        backend.description(),
        threads,
        run.train().precision().word(),
        trainer.batchSize(),
        ModelGraph.of(run.model()).trainableParameters(),
        samples,
        trainer.stepsPerEpoch(),
        times,
        all.subList(0, notCounted).stream().map(EpochBench::seconds).toList(),
        EpochResult.Rates.of(work, ceilings, times.median(), samples),
        ceilings,
        busy(all.subList(0, notCounted), counted),
        memory,
        startUp.stages(),
        new EpochResult.Accuracy(last.trainAccuracy(), last.testAccuracy()),
        new EpochResult.Clocks(
            all.stream().mapToDouble(EpochBench::seconds).sum(),
            all.stream().mapToDouble(epoch -> epoch.record().testSeconds()).sum(),
            processSeconds));
  }

  private EpochResult.Busy busy(List<Watch.Epoch> before, List<Watch.Epoch> counted) {
    if (clock != null) {
      double wall = seconds(before.get(before.size() - 1));
      return new EpochResult.Busy(EpochResult.Busy.DEVICE, busySeconds / wall);
    }
    double processor = counted.stream().mapToDouble(Watch.Epoch::processorSeconds).sum();
    double wall = counted.stream().mapToDouble(Watch.Epoch::wallSeconds).sum();
    return new EpochResult.Busy(EpochResult.Busy.PROCESSOR, processor / (wall * threads));
  }

  private static double seconds(Watch.Epoch epoch) {
    return epoch.record().trainSeconds();
  }
}
