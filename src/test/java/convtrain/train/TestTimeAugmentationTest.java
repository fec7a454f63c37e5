package convtrain.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import convtrain.backend.Backend;
import convtrain.backend.cpu.CpuBackend;
import convtrain.config.RunConfig;
import convtrain.config.RunConfigLoader;
import convtrain.data.Dataset;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TestTimeAugmentationTest {
  private static final Path GOLDEN = Path.of("src/test/resources/golden");

  @TempDir private Path folder;

  private record Scores(Evaluation plain, Evaluation varied) {}

  /** Of a network with random weights times a factor, by itself and with two variations. */
  private Scores scores(String loss, float factor, String augment) throws Exception {
    Path file =
        Files.writeString(
            folder.resolve("small.json"),
            """
            {"name": "small", "seed": 3, "data": {"dataset": "mnist", "augment": %s},
             "model": {"input": [1, 28, 28], "layers": [
               {"type": "flatten"}, {"type": "linear", "name": "last", "out_features": 10}]},
             "train": {"epochs": 1, "batch_size": 64, "loss": "%s",
               "optimizer": {"type": "sgd", "lr": 0.1}}}
            """
                .formatted(augment, loss));
    RunConfig run = RunConfigLoader.load(file, List.of());
    Dataset data =
        Dataset.read(
                GOLDEN.resolve("train-images-idx3-ubyte.gz"),
                GOLDEN.resolve("train-labels-idx1-ubyte.gz"),
                ByteBuffer::allocateDirect)
            .limit(100);
    Path model = folder.resolve("model.safetensors");
    try (Backend backend = new CpuBackend(2)) {
      try (Trainer trainer =
          new Trainer(backend, run, new Trainer.Data(data, null, data), new TrainListener() {})) {
        SafeTensors weights =
            trainer.weights(Map.of(TrainedModel.RUN, RunConfigLoader.toJson(run)));
        float[] values = weights.tensors().get("last.weight").values();
        for (int i = 0; i < values.length; i++) {
          values[i] *= factor;
        }
        weights.write(model);
      }
      try (TrainedModel trained = TrainedModel.open(backend, model)) {
        return new Scores(
            trained.evaluator().evaluate("test", data), trained.evaluateVaried("test", data, 2));
      }
    }
  }

  /** Equal views say what one says; of the larger weights, exp(log p) is 0 in every view. */
  @ParameterizedTest
  @ValueSource(floats = {1, 1e5f})
  void theMeanOfEqualViewsScoresAsOneView(float factor) throws Exception {
    Scores scores = scores("cross_entropy", factor, "{\"random_affine\": {\"degrees\": 0}}");
    double loss = scores.plain.loss();
    assertThat(loss > 745).isEqualTo(factor > 1);
    assertThat(scores.varied.loss()).isCloseTo(loss, within(1e-6 * loss));
    assertThat(scores.varied.correct()).isEqualTo(scores.plain.correct());
  }

  @Test
  void squaredErrorsAreThoseOfTheMeanOutput() throws Exception {
    Scores scores = scores("mse", 1, "{\"random_affine\": {\"degrees\": 0}}");
    double loss = scores.plain.loss();
    assertThat(scores.varied.loss()).isCloseTo(loss, within(1e-6 * loss));
  }
}
