package convtrain.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.withinPercentage;
import static org.assertj.core.api.Assumptions.assumeThat;

import convtrain.config.ConfigException;
import convtrain.config.RunConfig;
import convtrain.config.RunConfigLoader;
import convtrain.data.Dataset;
import convtrain.data.Split;
import convtrain.softcuda.SoftCuda;
import convtrain.testing.WatchedBackend;
import convtrain.train.MemoryNeeds;
import convtrain.train.TrainListener;
import convtrain.train.Trainer;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import jcuda.driver.JCudaDriver;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What a run is said to take is what it takes. */
class MemoryNeedsContractTest extends BackendContract {
  private static final Path GOLDEN = Path.of("src/test/resources/golden");
  private static final int TRAIN = 150;
  private static final int TEST = 70;
  private static final double PERCENT = 5;

  private static final String RUN =
      """
      {"name": "small", "seed": 3,
       "data": {"dataset": "mnist"%s},
       "model": {"input": [1, 28, 28], "layers": [
         {"type": "conv2d", "out_channels": 4, "kernel_size": 3, "stride": 2, "bias": false},
         {"type": "batch_norm2d"}, {"type": "relu"}, {"type": "dropout", "p": 0.1},
         {"type": "max_pool2d", "kernel_size": 2},
         {"type": "conv2d", "name": "conv2", "out_channels": 4, "kernel_size": 3},
         {"type": "flatten"}, {"type": "linear", "out_features": 10}]},
       "train": {"epochs": 1, "batch_size": %d,
         "optimizer": {"type": "sgd", "lr": 0.02, "momentum": 0.9}%s}}
      """;

  private static RunConfig run(int batchSize, String data, String train) {
    return RunConfigLoader.parse("small", RUN.formatted(data, batchSize, train).replace('\'', '"'));
  }

  private static Trainer.Data data(boolean validation) {
    Dataset all =
        Dataset.read(
            GOLDEN.resolve("train-images-idx3-ubyte.gz"),
            GOLDEN.resolve("train-labels-idx1-ubyte.gz"),
            ByteBuffer::allocateDirect);
    Dataset train = all.limit(TRAIN);
    Dataset test = all.subset(IntStream.range(TRAIN, TRAIN + TEST).toArray());
    if (!validation) {
      return new Trainer.Data(train, null, test);
    }
    Split split = Split.stratified(train, 0.2, 1);
    return new Trainer.Data(split.train(), split.validation(), test);
  }

  /** Runs the epoch and its scores on a backend, and says what it then has allocated. */
  private static long taken(Backend on, RunConfig run, Trainer.Data data) {
    long before = on.allocatedBytes();
    try (Trainer trainer = new Trainer(on, run, data, new TrainListener() {})) {
      trainer.train(() -> false);
      return on.allocatedBytes() - before;
    }
  }

  private static long needed(RunConfig run, Trainer.Data data) {
    long before = backend().allocatedBytes();
    long needed = MemoryNeeds.of(backend(), run, data).bytes() - before;
    assertThat(backend().allocatedBytes()).as("all is released").isEqualTo(before);
    return needed;
  }

  @ParameterizedTest(name = "batches of {0}, {1} {2}")
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "16 | `` | ``",
        "50 | `` | ``",
        "64 | `` | ``",
        "200 | `` | ``",
        "64 | , 'drop_last': true | ``",
        "64 | , 'placement': 'stream' | ``",
        "64 | , 'placement': 'resident' | , 'ema': {}, 'mixup': {}",
        "40 | `` | , 'accumulate_steps': 3, 'ema': {}, 'clip_grad_norm': 1",
        "64 | , 'augment': {'elastic_transform': {'sigma': 1}} | , 'cutmix': {}"
      })
  void predictionIsWithinFivePercentOfWhatTheRunAllocates(
      int batchSize, String dataKeys, String trainKeys) {
    RunConfig run = run(batchSize, dataKeys, trainKeys);
    Trainer.Data data = data(batchSize == 50);
    long needed = needed(run, data);
    assertThat(needed).isCloseTo(taken(backend(), run, data), withinPercentage(PERCENT));
  }

  @Test
  void onTheCpuItIsWhatWasAskedOfTheBackend() {
    assumeThat(provider.name()).isEqualTo("cpu");
    RunConfig run = run(64, "", ", 'ema': {}");
    Trainer.Data data = data(false);
    WatchedBackend watched = new WatchedBackend(backend());
    try (Trainer trainer = new Trainer(watched, run, data, new TrainListener() {})) {
      trainer.train(() -> false);
      assertThat(needed(run, data)).isCloseTo(watched.openBytes(), withinPercentage(PERCENT));
    }
  }

  /** A real one rounds each allocation up, and has the kernels in the same memory. */
  @Test
  void onTheSoftwareDeviceItIsWhatTheDeviceHasLessAfterwards() {
    assumeThat(provider.name()).isEqualTo("cuda");
    assumeThat(SoftCuda.unavailable()).isEmpty();
    RunConfig run = run(64, ", 'placement': 'resident'", ", 'ema': {}");
    Trainer.Data data = data(true);
    long free = free();
    try (Trainer trainer = new Trainer(backend(), run, data, new TrainListener() {})) {
      trainer.train(() -> false);
      assertThat(needed(run, data)).isCloseTo(free - free(), withinPercentage(PERCENT));
    }
  }

  private static long free() {
    long[] free = new long[1];
    JCudaDriver.cuMemGetInfo(free, new long[1]);
    return free[0];
  }

  @Test
  void partsOfTheStateAreNamedAndLargerBatchesTakeMore() {
    MemoryNeeds needs =
        MemoryNeeds.of(backend(), run(64, "", ", 'accumulate_steps': 2, 'ema': {}"), data(false));
    assertThat(needs.parts())
        .extracting(MemoryNeeds.Part::what)
        .contains(
            "parameters",
            "gradients",
            "gradients of several batches",
            "optimizer state",
            "moving averages",
            "schedule, clock and metrics",
            "activations and workspaces at batch size 64",
            "activations and workspaces at batch size 22",
            "scoring at batch size 70");
    assertThat(needed(run(128, "", ""), data(false)))
        .isGreaterThan(needed(run(64, "", ""), data(false)));
  }

  @Test
  void moreStepsThanARunCanHaveAreRefusedAsTheRunIs() {
    RunConfig run =
        RunConfigLoader.parse(
            "long", RunConfigLoader.toJson(run(50, "", "")), List.of("train.epochs=2000000000"));
    assertThatThrownBy(() -> MemoryNeeds.of(backend(), run, data(false)))
        .isInstanceOf(ConfigException.class)
        .hasMessageStartingWith("train.epochs=2000000000 of 3 steps are 6000000000 steps");
  }

  @Test
  void withoutDataThePlansOfWholeBatchesCount() {
    MemoryNeeds needs = MemoryNeeds.of(backend(), run(200, "", ""), null);
    assertThat(needs.parts())
        .extracting(MemoryNeeds.Part::what)
        .contains("activations and workspaces at batch size 200", "scoring at batch size 500");
  }
}
