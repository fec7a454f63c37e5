package convtrain.peers;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import convtrain.backend.Backend;
import convtrain.backend.cpu.CpuBackend;
import convtrain.config.RunConfigLoader;
import convtrain.testing.Golden;
import convtrain.train.SafeTensors;
import convtrain.train.TrainListener;
import convtrain.train.Trainer;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import picocli.CommandLine;

class ConvtrainPeerTest {
  private static final String RUN =
      """
      {"name": "tiny", "seed": 3, "data": {"dataset": "mnist"},
       "model": {"input": [1, 28, 28], "layers": [
         {"type": "conv2d", "out_channels": 4, "kernel_size": 5, "stride": 2}, {"type": "relu"},
         {"type": "flatten"}, {"type": "linear", "out_features": 10}]},
       "train": {"epochs": 1, "batch_size": 32,
         "optimizer": {"type": "sgd", "lr": 0.02, "momentum": 0.9, "nesterov": true}}}
      """;

  @TempDir private Path folder;
  private Path run;
  private final StringWriter out = new StringWriter();
  private final StringWriter err = new StringWriter();

  @BeforeEach
  void writeRunAndData() throws IOException {
    run = Files.writeString(folder.resolve("tiny.json"), RUN);
    for (String part : List.of("train", "t10k")) {
      Files.write(
          folder.resolve(part + "-images-idx3-ubyte.gz"),
          Golden.bytes("train-images-idx3-ubyte.gz"));
      Files.write(
          folder.resolve(part + "-labels-idx1-ubyte.gz"),
          Golden.bytes("train-labels-idx1-ubyte.gz"));
    }
  }

  private int peer(String... options) {
    List<String> arguments = new ArrayList<>(List.of(run.toString(), "--data", folder.toString()));
    arguments.addAll(List.of(options));
    CommandLine line = PeerCommand.commandLine(new ConvtrainPeer());
    line.setOut(new PrintWriter(out, true)).setErr(new PrintWriter(err, true));
    return line.execute(arguments.toArray(String[]::new));
  }

  private JsonNode line(String... options) throws IOException {
    out.getBuffer().setLength(0);
    assertThat(peer(options)).as(err.toString()).isZero();
    return new ObjectMapper().readTree(out.toString());
  }

  @Test
  void oneLineTellsWhatWasTrainedAndHowWell() throws IOException {
    JsonNode line = line("--epochs", "2", "--images", "1000", "--warmup", "1");
    assertThat(line.get("run").asText()).isEqualTo("tiny");
    assertThat(line.get("engine").asText()).isEqualTo("Convtrain");
    assertThat(line.get("precision").asText()).isEqualTo("fp32");
    assertThat(line.get("images").asInt()).isEqualTo(1000);
    assertThat(line.get("batch_size").asInt()).isEqualTo(32);
    assertThat(line.get("seconds")).hasSize(2).allMatch(each -> each.asDouble() > 0);
    assertThat(line.get("test_accuracy").asDouble()).isBetween(0.6, 1.0);
    assertThat(line.get("version").asText()).startsWith("CPU, ");
    assertThat(out.toString().lines()).hasSize(1);
  }

  @Test
  void whatIsTimedStartsFromTheInitialWeightsWhateverTheWarmUpDid() throws IOException {
    JsonNode cold = line("--images", "100", "--warmup", "0");
    JsonNode warm = line("--images", "100", "--warmup", "2");
    assertThat(warm.get("train_loss")).isEqualTo(cold.get("train_loss"));
    assertThat(warm.get("test_accuracy")).isEqualTo(cold.get("test_accuracy"));
  }

  @Test
  void aRunFileThatAsksForMoreThanEveryEngineDoesIsWrongInput() throws IOException {
    Files.writeString(run, RUN.replace("\"batch_size\": 32", "\"ema\": {}, \"batch_size\": 32"));
    assertThat(peer()).isEqualTo(2);
    assertThat(err.toString())
        .startsWith("ConvtrainPeer: " + run + ": asks for more than every engine is told to do;");
  }

  @Test
  void missingDataIsToldInOneLine() throws IOException {
    Files.delete(folder.resolve("t10k-labels-idx1-ubyte.gz"));
    assertThat(peer()).isEqualTo(2);
    assertThat(err.toString().lines()).hasSize(1);
    assertThat(err.toString()).contains("test labels").contains(folder.toString());
  }

  /**
   * Batch norm's running statistics stand between trained tensors, but are not drawn between them.
   */
  @Test
  void theOthersStartFromTheWeightsThatOurTrainerStartsFrom() throws IOException {
    Files.writeString(
        run,
        RUN.replace(
            "{\"type\": \"relu\"},", "{\"type\": \"batch_norm2d\"}, {\"type\": \"relu\"},"));
    PeerRun loaded = PeerRun.load(run, List.of(), folder, ByteBuffer::allocateDirect);
    Map<String, float[]> others = loaded.initialWeights();
    Trainer.Data data = new Trainer.Data(loaded.train(), null, loaded.test());
    try (Backend backend = new CpuBackend(1);
        Trainer trainer = new Trainer(backend, loaded.config(), data, new TrainListener() {})) {
      Map<String, SafeTensors.Tensor> ours = trainer.weights(Map.of()).tensors();
      assertThat(others).containsOnlyKeys(ours.keySet());
      ours.forEach(
          (name, tensor) -> assertThat(others.get(name)).as(name).containsExactly(tensor.values()));
    }
  }

  /** The two networks that are compared unless others are named. */
  @Test
  void theNetworkWithoutDropoutIsTheShippedOneLessItsDropouts() throws IOException {
    Path runs = Path.of("src/bench/runs");
    ObjectMapper mapper = new ObjectMapper();
    var with = RunConfigLoader.load(runs.resolve("mnist-19k.json"), List.of());
    var without = RunConfigLoader.load(runs.resolve("mnist-19k-no-dropout.json"), List.of());
    var shipped = RunConfigLoader.load(Path.of("configs/mnist-19k.json"), List.of());
    assertThat(with.model()).isEqualTo(shipped.model());
    assertThat(without.train()).isEqualTo(with.train());
    ArrayNode layers = mapper.createArrayNode();
    for (JsonNode layer : model(mapper, "configs/models/mnist-19k.json")) {
      if (!layer.get("type").asText().equals("dropout")) {
        layers.add(layer);
      }
    }
    assertThat(model(mapper, "src/bench/models/mnist-19k-no-dropout.json")).isEqualTo(layers);
  }

  private static JsonNode model(ObjectMapper mapper, String file) throws IOException {
    return mapper.readTree(Path.of(file).toFile()).get("layers");
  }
}
