package convtrain.train;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.backend.Backend;
import convtrain.backend.cpu.CpuBackend;
import convtrain.config.RunConfig;
import convtrain.config.RunConfigLoader;
import convtrain.data.Dataset;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Training sees varied images, others in each epoch; scoring sees them as they are. */
class AugmentTrainingTest {
  private static final Path GOLDEN = Path.of("src/test/resources/golden");
  private static final String AFFINE =
      "data.augment={\"random_affine\": {\"degrees\": 20, \"translate\": [0.1, 0.1]},"
          + " \"elastic_transform\": {\"sigma\": 2}, \"random_erasing\": {}}";

  @TempDir private Path folder;

  /** What a run leaves. */
  private record Result(List<EpochRecord> epochs, float[] weights) {}

  private Result train(int threads, String... overrides) throws Exception {
    Path file =
        Files.writeString(
            folder.resolve("small.json"),
            """
            {"name": "small", "seed": 3, "data": {"dataset": "mnist", "shuffle": false},
             "model": {"input": [1, 28, 28], "layers": [
               {"type": "flatten"}, {"type": "linear", "name": "last", "out_features": 10}]},
             "train": {"epochs": 2, "batch_size": 64, "optimizer": {"type": "sgd", "lr": 0.1}}}
            """);
    RunConfig run = RunConfigLoader.load(file, Arrays.asList(overrides));
    List<EpochRecord> epochs = new ArrayList<>();
    try (Backend backend = new CpuBackend(threads)) {
      Dataset all =
          Dataset.read(
              GOLDEN.resolve("train-images-idx3-ubyte.gz"),
              GOLDEN.resolve("train-labels-idx1-ubyte.gz"),
              ByteBuffer::allocateDirect);
      Dataset test = all.subset(IntStream.range(200, 300).toArray());
      TrainListener listener =
          new TrainListener() {
            @Override
            public void epoch(EpochRecord epoch) {
              epochs.add(epoch);
            }
          };
      try (Trainer trainer =
          new Trainer(backend, run, new Trainer.Data(all.limit(200), null, test), listener)) {
        trainer.train(() -> false);
        return new Result(epochs, trainer.weights(Map.of()).tensors().get("last.weight").values());
      }
    }
  }

  @Test
  void everyEpochTrainsOnOtherImagesAndScoresTheSame() throws Exception {
    Result still = train(2, "train.optimizer.lr=0");
    Result varied = train(2, "train.optimizer.lr=0", AFFINE);
    double plain = still.epochs.get(0).trainLoss();
    assertThat(still.epochs.get(1).trainLoss()).isEqualTo(plain);
    double first = varied.epochs.get(0).trainLoss();
    assertThat(first).isNotEqualTo(plain);
    assertThat(varied.epochs.get(1).trainLoss()).isNotEqualTo(first).isNotEqualTo(plain);
    for (int epoch = 0; epoch < 2; epoch++) {
      assertThat(varied.epochs.get(epoch).testLoss()).isEqualTo(still.epochs.get(0).testLoss());
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"train.mixup={}", "train.cutmix={}"})
  void mixingChangesWhatIsTrainedOnAndNotWhatIsScored(String mix) throws Exception {
    Result still = train(2, "train.optimizer.lr=0");
    Result mixed = train(2, "train.optimizer.lr=0", mix);
    double first = mixed.epochs.get(0).trainLoss();
    assertThat(first).isNotEqualTo(still.epochs.get(0).trainLoss());
    assertThat(mixed.epochs.get(1).trainLoss()).isNotEqualTo(first);
    assertThat(mixed.epochs.get(1).testLoss()).isEqualTo(still.epochs.get(0).testLoss());
    assertThat(train(2, mix).weights).isEqualTo(train(2, mix).weights);
  }

  @Test
  void rerunsTrainOnTheSameImagesWithAnyNumberOfThreads() throws Exception {
    float[] weights = train(2, AFFINE).weights;
    assertThat(train(2, AFFINE).weights).isEqualTo(weights);
    assertThat(train(2, AFFINE, "seed=4").weights).isNotEqualTo(weights);
    Result one = train(1, AFFINE, "train.optimizer.lr=0");
    Result three = train(3, AFFINE, "train.optimizer.lr=0");
    assertThat(one.epochs.get(0).trainLoss()).isEqualTo(three.epochs.get(0).trainLoss());
  }
}
