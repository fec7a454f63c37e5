package convtrain.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import convtrain.backend.Backend;
import convtrain.backend.cpu.CpuBackend;
import convtrain.config.RunConfigLoader;
import convtrain.data.Dataset;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CheckpointsTest {
  private static final Path GOLDEN = Path.of("src/test/resources/golden");

  @TempDir private Path folder;

  private static Checkpoint at(int batch) {
    return new Checkpoint(
        new Position(1, batch, 0, List.of()), new SafeTensors(Map.of(), new TreeMap<>()));
  }

  private void file(String name) throws IOException {
    Files.createFile(folder.resolve(name));
  }

  @Test
  void theNewestAreKeptWhereNumbersOutgrowTheirWidth() throws IOException {
    file("epoch-00001-batch-9999998.safetensors");
    file("epoch-00001-batch-9999999.safetensors");
    new Checkpoints(folder).write(at(10_000_000));
    assertThat(folder.toFile().list())
        .containsExactlyInAnyOrder(
            "epoch-00001-batch-9999999.safetensors", "epoch-00001-batch-10000000.safetensors");
    file("epoch-99999-batch-0000009.safetensors");
    new Checkpoints(folder)
        .write(
            new Checkpoint(
                new Position(100_000, 0, 0, history(99_999)),
                new SafeTensors(Map.of(), new TreeMap<>())));
    assertThat(folder.toFile().list())
        .containsExactlyInAnyOrder(
            "epoch-99999-batch-0000009.safetensors", "epoch-100000-batch-0000000.safetensors");
  }

  private static List<EpochRecord> history(int epochs) {
    EpochRecord one = new EpochRecord(1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, null, null);
    return Collections.nCopies(epochs, one);
  }

  /** It could not be read, or the run would stand behind it. */
  @Test
  void whatIsNewerThanTheRunGoesWhenTheRunWritesItsOwn() throws IOException {
    file("epoch-00001-batch-0000001.safetensors");
    file("epoch-00001-batch-0000009.safetensors");
    file("epoch-00002-batch-0000000.safetensors");
    new Checkpoints(folder).write(at(2));
    assertThat(folder.toFile().list())
        .containsExactlyInAnyOrder(
            "epoch-00001-batch-0000001.safetensors", "epoch-00001-batch-0000002.safetensors");
  }

  @Test
  void whatAKilledProcessBeganToWriteIsRemoved() throws IOException {
    file(".epoch-00001-batch-0000001.safetensors.8124.tmp");
    file(".mine.8124.tmp");
    new Checkpoints(folder).write(at(2));
    assertThat(folder.toFile().list())
        .containsExactlyInAnyOrder(".mine.8124.tmp", "epoch-00001-batch-0000002.safetensors");
  }

  @ParameterizedTest
  @CsvSource({
    "convtrain.clock, 00ff, expected 128 hexadecimal digits",
    "convtrain.clock, xy, expected 128 hexadecimal digits",
    "convtrain.metrics, 1.5 2, 'expected loss, hits and samples'",
    "convtrain.metrics, 1.5 2 x, 'expected loss, hits and samples'"
  })
  void ofACheckpointThatDoesNotFitNothingIsTaken(String key, String value, String message) {
    Dataset data =
        Dataset.read(
            GOLDEN.resolve("train-images-idx3-ubyte.gz"),
            GOLDEN.resolve("train-labels-idx1-ubyte.gz"),
            ByteBuffer::allocateDirect);
    try (Backend backend = new CpuBackend(1);
        Trainer other = trainer(backend, data, 1);
        Trainer trainer = trainer(backend, data, 2)) {
      SafeTensors whole = other.checkpoint().content();
      Map<String, String> metadata = new TreeMap<>(whole.metadata());
      metadata.put(key, value);
      Checkpoint damaged =
          new Checkpoint(
              new Position(1, 0, 0, List.of()), new SafeTensors(metadata, whole.tensors()));
      float[] before = weights(trainer);
      assertThatThrownBy(() -> trainer.resume(damaged))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("%s: found \"%s\", %s", key, value, message);
      assertThat(weights(trainer)).isEqualTo(before).isNotEqualTo(weights(other));
    }
  }

  private static Trainer trainer(Backend backend, Dataset data, int seed) {
    return new Trainer(
        backend,
        RunConfigLoader.load(Path.of("configs/mlp.json"), List.of("seed=" + seed)),
        new Trainer.Data(data, null, data),
        new TrainListener() {});
  }

  private static float[] weights(Trainer trainer) {
    SafeTensors weights = trainer.weights(Map.of());
    return weights.tensors().get(weights.tensors().firstKey()).values();
  }
}
