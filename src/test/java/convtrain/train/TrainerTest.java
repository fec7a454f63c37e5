package convtrain.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import convtrain.backend.Backend;
import convtrain.backend.StepMetrics;
import convtrain.backend.cpu.CpuBackend;
import convtrain.config.RunConfig;
import convtrain.config.RunConfigLoader;
import convtrain.data.Dataset;
import convtrain.data.Split;
import convtrain.graph.ModelGraph;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Training on the first 2,528 images of MNIST: 2,000 to learn from, the others held out. */
class TrainerTest {
  private static final Path GOLDEN = Path.of("src/test/resources/golden");
  private static final int TRAINED = 2000;

  private static Backend backend;
  private static Dataset train;
  private static Dataset test;

  @TempDir private Path folder;

  @BeforeAll
  static void open() {
    backend = new CpuBackend(2);
    Dataset all =
        Dataset.read(
            GOLDEN.resolve("train-images-idx3-ubyte.gz"),
            GOLDEN.resolve("train-labels-idx1-ubyte.gz"),
            ByteBuffer::allocateDirect);
    train = all.limit(TRAINED);
    test = all.subset(IntStream.range(TRAINED, all.size()).toArray());
  }

  @AfterAll
  static void close() {
    backend.close();
  }

  /** What the trainer told, in order. */
  private static final class Log implements TrainListener {
    private final List<EpochRecord> epochs = new ArrayList<>();
    private final List<String> events = new ArrayList<>();
    private long lastStep;

    @Override
    public void started(TrainStart start) {
      events.add(start.toString());
    }

    @Override
    public void step(int epoch, long step, long stepsPerEpoch, double loss, double accuracy) {
      lastStep = step;
    }

    @Override
    public void epoch(EpochRecord epoch) {
      events.add("epoch " + epoch.epoch() + " after step " + lastStep);
      epochs.add(epoch);
    }
  }

  /** A perceptron of one hidden layer: little to compute, and it learns fast. */
  private RunConfig config(String... overrides) throws Exception {
    Path file =
        Files.writeString(
            folder.resolve("small.json"),
            """
            {"name": "small", "seed": 3,
             "data": {"dataset": "mnist", "normalize": {"mean": 0.1307, "std": 0.3081}},
             "model": {"input": [1, 28, 28], "layers": [
               {"type": "avg_pool2d", "kernel_size": 2},
               {"type": "flatten"},
               {"type": "linear", "out_features": 64}, {"type": "relu"},
               {"type": "linear", "out_features": 10}]},
             "train": {"epochs": 1, "batch_size": 128,
               "optimizer": {"type": "sgd", "lr": 0.05, "momentum": 0.9}}}
            """);
    return RunConfigLoader.load(file, Arrays.asList(overrides));
  }

  private static Trainer trainer(RunConfig run, Dataset data, Log log) {
    return new Trainer(backend, run, new Trainer.Data(data, null, test), log);
  }

  @Test
  void whatScoringAndTheLastBatchNeedIsMadeBeforeTheFirstStep() throws Exception {
    List<Long> bytes = new ArrayList<>();
    try (Trainer trainer = trainer(config(), train, new Log())) {
      long before = backend.allocatedBytes();
      trainer.train(
          () -> {
            bytes.add(backend.allocatedBytes());
            return false;
          });
      bytes.add(backend.allocatedBytes());
      assertThat(bytes).hasSize(17).containsOnly(bytes.get(0));
      assertThat(bytes.get(0)).isGreaterThan(before);
    }
  }

  @Test
  void sixEpochsOnTwoThousandImagesClassifyNineOfTenUnseenOnes() throws Exception {
    Log log = new Log();
    try (Trainer trainer = trainer(config("train.epochs=6"), train, log)) {
      assertThat(trainer.train(() -> false)).isTrue();
      assertThat(trainer.lastEpoch()).isEqualTo(log.epochs.get(5));
    }
    assertThat(log.epochs).hasSize(6);
    EpochRecord last = log.epochs.get(5);
    assertThat(last.testAccuracy()).isGreaterThan(0.89);
    assertThat(last.trainAccuracy()).isGreaterThan(0.9);
    assertThat(last.trainLoss()).isLessThan(0.5 * log.epochs.get(0).trainLoss());
    assertThat(last.epochs()).isEqualTo(6);
    assertThat(last.step()).isEqualTo(6 * 16);
    assertThat(last.lr()).isEqualTo(0.05);
    assertThat(last.validationLoss()).isNull();
    assertThat(log.events)
        .startsWith(new TrainStart(6, TRAINED, 128, 0, false).toString(), "epoch 1 after step 16")
        .hasSize(7);
  }

  @Test
  void lastSmallerBatchOfAnEpochIsTrainedToo() throws Exception {
    Log log = new Log();
    // One image, with a class of its own, in a batch of its own.
    Dataset data = train.limit(129);
    SafeTensors before;
    SafeTensors after;
    try (Trainer trainer = trainer(config("data.shuffle=false"), data, log)) {
      trainer.train(() -> false);
      after = trainer.weights(Map.of());
    }
    try (Trainer trainer = trainer(config("data.shuffle=false"), data.limit(128), new Log())) {
      trainer.train(() -> false);
      before = trainer.weights(Map.of());
    }
    assertThat(log.epochs.get(0).step()).isEqualTo(2);
    assertThat(log.events.get(0)).isEqualTo(new TrainStart(1, 129, 128, 0, false).toString());
    assertThat(after.tensors().get("linear2.weight").values())
        .isNotEqualTo(before.tensors().get("linear2.weight").values());
  }

  @Test
  void dropLastLeavesTheSmallerBatchOut() throws Exception {
    Log log = new Log();
    RunConfig run = config("data.drop_last=true", "data.shuffle=false");
    try (Trainer dropped = trainer(run, train.limit(129), log);
        Trainer without = trainer(run, train.limit(128), new Log())) {
      dropped.train(() -> false);
      without.train(() -> false);
      assertThat(log.epochs.get(0).step()).isEqualTo(1);
      assertThat(log.events.get(0)).isEqualTo(new TrainStart(1, 128, 128, 0, false).toString());
      assertThat(tensors(dropped)).isEqualTo(tensors(without));
    }
  }

  @Test
  void dropLastOfFewerSamplesThanABatchLeavesNothingToTrainOn() throws Exception {
    RunConfig run = config("data.drop_last=true", "train.batch_size=200");
    assertThatThrownBy(() -> trainer(run, train.limit(129), new Log()))
        .hasMessageContaining("batch_size=200 with drop_last leaves no batch");
  }

  private static List<List<Float>> tensors(Trainer trainer) {
    List<List<Float>> all = new ArrayList<>();
    trainer
        .weights(Map.of())
        .tensors()
        .forEach(
            (name, tensor) -> {
              List<Float> values = new ArrayList<>();
              for (float value : tensor.values()) {
                values.add(value);
              }
              all.add(values);
            });
    return all;
  }

  @Test
  void updatesOfSeveralBatchesCountAsOneStepAndAnEpochEndsWithOne() throws Exception {
    Log log = new Log();
    RunConfig run =
        config("train.accumulate_steps=3", "train.epochs=2", "train.schedule.type=cosine");
    try (Trainer trainer = trainer(run, train, log)) {
      trainer.train(() -> false);
    }
    // Sixteen batches: updates of 3, 3, 3, 3, 3 and 1.
    assertThat(log.epochs).extracting(EpochRecord::step).containsExactly(6L, 12L);
    assertThat(log.epochs.get(0).lr())
        .isCloseTo(0.05 * (1 + Math.cos(Math.PI * 5 / 12)) / 2, within(1e-12));
    assertThat(log.events).contains("epoch 1 after step 16", "epoch 2 after step 16");
    assertThat(log.epochs.get(1).testAccuracy()).isGreaterThan(0.6);
  }

  @Test
  void anUpdateOfMoreBatchesThanAnEpochHasIsOneOfAllOfThem() throws Exception {
    Log log = new Log();
    RunConfig run = config("train.accumulate_steps=" + Integer.MAX_VALUE, "train.epochs=2");
    try (Trainer trainer = trainer(run, train, log)) {
      assertThat(trainer.train(() -> false)).isTrue();
    }
    assertThat(log.epochs).extracting(EpochRecord::step).containsExactly(1L, 2L);
  }

  @Test
  void batchesOfOneUpdateTrainAsOneLargeBatch() throws Exception {
    RunConfig parts = config("train.accumulate_steps=4", "train.batch_size=32");
    try (Trainer whole = trainer(config(), train.limit(1024), new Log());
        Trainer accumulated = trainer(parts, train.limit(1024), new Log())) {
      whole.train(() -> false);
      accumulated.train(() -> false);
      assertClose(accumulated.weights(Map.of()), whole.weights(Map.of()), 1e-5f);
    }
  }

  private static void assertClose(SafeTensors found, SafeTensors expected, float tolerance) {
    expected
        .tensors()
        .forEach(
            (name, tensor) ->
                assertThat(found.tensors().get(name).values())
                    .as(name)
                    .usingComparatorWithPrecision(tolerance)
                    .containsExactly(tensor.values()));
  }

  @Test
  void movingAverageIsScoredAndSavedWhileTrainingGoesOnWithout() throws Exception {
    Log plainLog = new Log();
    Log log = new Log();
    RunConfig averaging = config("train.ema.decay=0.99");
    SafeTensors saved;
    try (Trainer plain = trainer(config(), train, plainLog);
        Trainer trainer = trainer(averaging, train, log)) {
      plain.train(() -> false);
      trainer.train(() -> false);
      saved = trainer.weights(Map.of());
      assertThat(tensors(trainer)).isNotEqualTo(tensors(plain));
    }
    EpochRecord epoch = log.epochs.get(0);
    assertThat(epoch.trainLoss()).isEqualTo(plainLog.epochs.get(0).trainLoss());
    assertThat(epoch.testLoss()).isNotEqualTo(plainLog.epochs.get(0).testLoss());
    // A rate of zero trains nothing, and the average starts from what is loaded.
    Log again = new Log();
    RunConfig still = config("train.ema.decay=0.99", "train.optimizer.lr=0");
    try (Trainer trainer = trainer(still, train.limit(128), again)) {
      trainer.load(saved);
      trainer.train(() -> false);
    }
    assertThat(again.epochs.get(0).testLoss()).isEqualTo(epoch.testLoss());
  }

  @Test
  void batchIsNoLargerThanTheData() throws Exception {
    Log log = new Log();
    try (Trainer trainer = trainer(config(), train.limit(50), log)) {
      assertThat(trainer.train(() -> false)).isTrue();
    }
    assertThat(log.epochs.get(0).step()).isEqualTo(1);
    assertThat(log.events.get(0)).isEqualTo(new TrainStart(1, 50, 50, 0, false).toString());
  }

  @Test
  void validationSplitIsScoredBesideTheTestSet() throws Exception {
    Split split = Split.stratified(train, 0.25, 1);
    Log log = new Log();
    RunConfig run = config("train.epochs=2");
    try (Trainer trainer =
        new Trainer(backend, run, new Trainer.Data(split.train(), split.validation(), test), log)) {
      trainer.train(() -> false);
    }
    EpochRecord last = log.epochs.get(1);
    assertThat(log.events.get(0)).contains("hasValidation=true");
    assertThat(last.validationAccuracy()).isBetween(0.6, 1.0).isNotEqualTo(last.testAccuracy());
    assertThat(last.validationLoss()).isPositive().isNotEqualTo(last.testLoss());
  }

  @Test
  void divergedRunStopsNamingEpochAndStep() throws Exception {
    Log log = new Log();
    RunConfig run = config("train.optimizer.lr=1e6", "train.epochs=3");
    try (Trainer trainer = trainer(run, train, log)) {
      assertThatThrownBy(() -> trainer.train(() -> false))
          .isInstanceOf(TrainingDivergedException.class)
          .hasMessageMatching(
              "the loss became NaN or infinite in epoch 1, step [2-9] of 16; no epoch was"
                  + " completed; try a lower learning rate.*");
      assertThat(trainer.lastEpoch()).isNull();
    }
    assertThat(log.epochs).isEmpty();
  }

  @Test
  void stopFlagEndsTrainingBeforeTheNextStep() throws Exception {
    Log log = new Log();
    AtomicInteger asked = new AtomicInteger();
    try (Trainer trainer = trainer(config("train.epochs=4"), train, log)) {
      assertThat(trainer.train(() -> asked.incrementAndGet() > 16 + 5)).isFalse();
      assertThat(trainer.position()).isEqualTo("epoch 2, step 5 of 16");
      assertThat(trainer.lastEpoch().epoch()).isEqualTo(1);
      assertThat(trainer.train(() -> true)).isFalse();
    }
    assertThat(log.epochs).hasSize(1);
    assertThat(log.events)
        .as("where it went on")
        .last()
        .isEqualTo(new TrainStart(4, TRAINED, 128, 5, false).toString());
  }

  @Test
  void savedWeightsScoreAsTheRunDid() throws Exception {
    Log log = new Log();
    RunConfig run = config();
    SafeTensors weights;
    try (Trainer trainer = trainer(run, train, log)) {
      trainer.train(() -> false);
      weights = trainer.weights(Map.of());
    }
    // A rate of zero trains nothing: the loaded weights are scored as they are.
    Log again = new Log();
    try (Trainer trainer = trainer(config("train.optimizer.lr=0"), train.limit(128), again)) {
      trainer.load(weights);
      trainer.train(() -> false);
    }
    assertThat(again.epochs.get(0).testLoss()).isEqualTo(log.epochs.get(0).testLoss());
    assertThat(again.epochs.get(0).testAccuracy()).isEqualTo(log.epochs.get(0).testAccuracy());
  }

  @Test
  void evaluationAgreesWithScoreAndPredictions() throws Exception {
    RunConfig run = config();
    var graph = convtrain.graph.ModelGraph.of(run.model());
    try (var state = new convtrain.plan.RunState(backend, graph, 128, null, 1);
        Evaluator evaluator = new Evaluator(backend, graph, state, Scoring.of(run, graph))) {
      state.initialize(5);
      var score = evaluator.score(test);
      Evaluation evaluation = evaluator.evaluate("test", test);
      assertThat(score.samples()).isEqualTo(test.size());
      assertThat(evaluation.samples()).isEqualTo(test.size());
      assertThat(evaluation.correct()).isEqualTo(score.correct());
      assertThat(evaluation.loss()).isEqualTo(score.loss());
      double loss = 0;
      List<byte[]> images = new ArrayList<>();
      for (int i = 0; i < test.size(); i++) {
        byte[] image = new byte[784];
        test.copyImage(i, ByteBuffer.wrap(image));
        images.add(image);
      }
      double[][] probabilities = evaluator.predict(images);
      for (int i = 0; i < test.size(); i++) {
        assertThat(Arrays.stream(probabilities[i]).sum()).isCloseTo(1, within(1e-12));
        loss -= Math.log(probabilities[i][test.label(i)]) / test.size();
      }
      assertThat(loss).isCloseTo(score.loss(), within(1e-6));
    }
  }

  @Test
  void scoresLeaveLabelSmoothingOut() throws Exception {
    double plain = scored("train.loss=cross_entropy").loss();
    assertThat(scored("train.loss.label_smoothing=0.5").loss()).isEqualTo(plain);
    assertThat(scored("train.loss=mse").loss()).isNotEqualTo(plain);
  }

  private StepMetrics scored(String loss) throws Exception {
    RunConfig run = config(loss);
    ModelGraph graph = ModelGraph.of(run.model());
    try (var state = new convtrain.plan.RunState(backend, graph, 128, null, 1);
        var evaluator = new Evaluator(backend, graph, state, Scoring.of(run, graph))) {
      state.initialize(5);
      return evaluator.score(test);
    }
  }

  @Test
  void predictionsAfterSquaredErrorAreTheNetworksOutput() throws Exception {
    RunConfig run = config("train.loss=mse");
    ModelGraph graph = ModelGraph.of(run.model());
    try (var state = new convtrain.plan.RunState(backend, graph, 128, null, 1);
        var evaluator = new Evaluator(backend, graph, state, Scoring.of(run, graph))) {
      state.initialize(5);
      byte[] image = new byte[784];
      test.copyImage(0, ByteBuffer.wrap(image));
      double[] y = evaluator.predict(List.of(image))[0];
      double squares = 0;
      for (int c = 0; c < y.length; c++) {
        squares += Math.pow(y[c] - (c == test.label(0) ? 1 : 0), 2);
      }
      double loss = evaluator.score(test.limit(1)).loss();
      assertThat(squares / y.length).isCloseTo(loss, within(1e-6 * loss));
    }
  }
}
