package convtrain.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import convtrain.config.RunConfigLoader;
import convtrain.train.SafeTensors;
import java.awt.image.BufferedImage;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** One short training of the 19k network on real digits, and what its run folder is good for. */
class EndToEndTest {
  private static final int TRAIN = 2_128;
  private static final int TEST = 400;
  private static final ObjectMapper JSON = new ObjectMapper();

  @TempDir private static Path temp;
  private static Path data;
  private static Path folder;
  private static Cli training;

  @BeforeAll
  static void train() {
    data = MnistSample.folder(temp.resolve("data"), TRAIN, TEST);
    folder = temp.resolve("run");
    training =
        Cli.run(
            "train",
            "configs/mnist-19k.json",
            "--set=data.dir=" + data,
            "--set=train.epochs=6",
            "--set=train.batch_size=32",
            "--set=train.schedule.max_lr=0.1",
            "--out=" + folder);
    assertThat(training.exitCode()).as(training.err()).isZero();
  }

  @Test
  void aShortTrainingOnRealDigitsLearnsThem() throws IOException {
    assertThat(lastEpoch().get("test_accuracy").asDouble()).isGreaterThan(0.95);
  }

  @Test
  void theHeaderTheEpochsAndTheResultArePrinted() throws IOException {
    assertThat(training.out())
        .startsWith(
            """
            mnist-19k: 19,192 parameters
            data:   %s, 2,128 training and 400 test images [1, 28, 28]
            device: CPU,"""
                .formatted(data))
        .contains("\nrun:    6 epochs of 67 steps, batch size 32, seed 1, to " + folder + "\n\n")
        .contains("\nepoch        lr  train loss")
        .contains("\n    1  ", "\n    6  ")
        .containsPattern(
            "\n\n%s: test accuracy %.2f%% after 6 epochs, [0-9.]+ s in all\n$"
                .formatted(folder, 100 * lastEpoch().get("test_accuracy").asDouble()));
    assertThat(training.err()).isEmpty();
  }

  @Test
  void theRunFolderHoldsTheCompleteRunFileAndTheModelTheSame() throws IOException {
    String run = Files.readString(folder.resolve("run.json"));
    assertThat(RunConfigLoader.parse("run.json", run))
        .isEqualTo(RunConfigLoader.load(folder.resolve("run.json"), List.of()));
    SafeTensors model = SafeTensors.read(folder.resolve("model.safetensors"));
    assertThat(model.metadata())
        .containsEntry("convtrain.run", run)
        .containsEntry("convtrain.trained_to", "epoch 6, step 67 of 67");
    assertThat(model.tensors().get("conv5.weight").dims()).containsExactly(32, 8, 3, 3);
  }

  @Test
  void provenanceTellsCommandLibrariesAndData() throws IOException {
    JsonNode provenance = JSON.readTree(folder.resolve("provenance.json").toFile());
    assertThat(provenance.get("command").get(1).asText()).isEqualTo("train");
    assertThat(provenance.get("backend").asText()).contains("oneDNN");
    assertThat(provenance.get("libraries").get("picocli").asText()).startsWith("4.");
    assertThat(provenance.get("data").findValuesAsText("path"))
        .containsExactly(
            data.resolve("train-images-idx3-ubyte").toString(),
            data.resolve("train-labels-idx1-ubyte").toString(),
            data.resolve("t10k-images-idx3-ubyte").toString(),
            data.resolve("t10k-labels-idx1-ubyte").toString());
  }

  @Test
  void evaluateGivesTheScoresOfTheLastEpoch() throws IOException {
    Cli evaluation = Cli.run("evaluate", folder.toString(), "--json");
    assertThat(evaluation.exitCode()).as(evaluation.err()).isZero();
    JsonNode scores = JSON.readTree(evaluation.out());
    assertThat(scores.get("split").asText()).isEqualTo("test");
    assertThat(scores.get("samples").asInt()).isEqualTo(TEST);
    assertThat(scores.get("accuracy").asDouble())
        .isEqualTo(lastEpoch().get("test_accuracy").asDouble());
    assertThat(scores.get("loss").asDouble()).isEqualTo(lastEpoch().get("test_loss").asDouble());
  }

  @Test
  void evaluateScoresOtherDataAndTheTrainingSamplesToo() {
    Path few = MnistSample.folder(temp.resolve("few"), 30, 20);
    String model = folder.resolve("model.safetensors").toString();
    Cli evaluation = Cli.run("evaluate", model, "--data=" + few, "--split=train");
    assertThat(evaluation.out())
        .startsWith(model + " on " + few + "\ntrain: 30 samples, loss ")
        .contains("true \\ predicted");
  }

  @Test
  void predictIsRightAsOftenAsTheLastEpochWas() throws IOException {
    Path images = data.resolve("t10k-images-idx3-ubyte");
    JsonNode rows =
        JSON.readTree(Cli.run("predict", folder.toString(), images.toString(), "--json").out());
    byte[] labels = Files.readAllBytes(data.resolve("t10k-labels-idx1-ubyte"));
    int correct = 0;
    for (int i = 0; i < TEST; i++) {
      JsonNode row = rows.get(i);
      assertThat(row.get("image").asText()).isEqualTo(images + "[" + i + "]");
      int label = labels[labels.length - TEST + i];
      correct += row.get("top").get(0).get("class").asInt() == label ? 1 : 0;
    }
    assertThat(rows).hasSize(TEST);
    assertThat((double) correct / TEST).isEqualTo(lastEpoch().get("test_accuracy").asDouble());
  }

  @Test
  void aPictureOfInkOnPaperAndOfAnotherSizeIsNoticedAndRead() throws IOException {
    BufferedImage picture = new BufferedImage(56, 56, BufferedImage.TYPE_BYTE_GRAY);
    byte[] five = MnistSample.image(0);
    for (int y = 0; y < 56; y++) {
      for (int x = 0; x < 56; x++) {
        int ink = five[y / 2 * 28 + x / 2] & 0xFF;
        picture.getRaster().setSample(x, y, 0, 255 - ink);
      }
    }
    File png = temp.resolve("five.png").toFile();
    ImageIO.write(picture, "png", png);
    Cli prediction = Cli.run("predict", folder.toString(), png.toString(), "--top", "2");
    assertThat(prediction.out().lines().skip(2))
        .singleElement()
        .asString()
        .matches(png + "\\s+5\\s+[0-9.]+%  \\d [0-9.]+%\\s+scaled to 28 x 28, inverted .*");
  }

  @Test
  void theOtherPicturesAreReadBesideADamagedOne() throws IOException {
    Path tif = temp.resolve("good.tif");
    ImageIO.write(new BufferedImage(28, 28, BufferedImage.TYPE_BYTE_GRAY), "tiff", tif.toFile());
    Path bad = Files.writeString(temp.resolve("bad.png"), "a seven");
    Cli result = Cli.run("predict", folder.toString(), bad.toString(), tif.toString());
    assertThat(result.exitCode()).isEqualTo(2);
    assertThat(result.out().lines().skip(2)).singleElement().asString().startsWith(tif.toString());
    assertThat(result.err()).startsWith("convtrain: " + bad + ": not a picture").hasLineCount(1);
    Cli none = Cli.run("predict", folder.toString(), bad.toString());
    assertThat(none.exitCode()).isEqualTo(2);
    assertThat(none.out()).isEmpty();
  }

  @Test
  void imagesWithTheirChannelsLastAreNoticed() throws IOException {
    Path dir = Files.createDirectories(temp.resolve("channels-last"));
    byte[] header = {0, 0, 8, 4, 0, 0, 0, 2, 0, 0, 0, 20, 0, 0, 0, 14, 0, 0, 0, 3};
    Files.write(dir.resolve("t10k-images-idx4-ubyte"), Arrays.copyOf(header, header.length + 1680));
    Files.write(dir.resolve("t10k-labels-idx1-ubyte"), new byte[] {0, 0, 8, 1, 0, 0, 0, 2, 0, 1});
    Cli result = Cli.run("evaluate", folder.toString(), "--data=" + dir);
    assertThat(result.exitCode()).isEqualTo(2);
    assertThat(result.err())
        .contains("its images are [20, 14, 3]; expected [channels, height, width]")
        .contains("write them as [N, C, H, W], in NumPy images.transpose(0, 3, 1, 2)");
  }

  @Test
  void evaluatingWhatNoRunHeldOutSaysSo() {
    Cli result = Cli.run("evaluate", folder.toString(), "--split=validation");
    assertThat(result.exitCode()).isEqualTo(2);
    assertThat(result.err())
        .contains("was trained without data.validation_split, so nothing was held out; give");
  }

  @Test
  void moreThreadsThanCoresAreNoted() {
    Cli result = Cli.run("evaluate", folder.toString(), "--threads=1000");
    assertThat(result.err()).startsWith("convtrain: note: --threads=1000 on ");
  }

  @Test
  void weightsThatAreNotFiniteAreRefused() throws IOException {
    SafeTensors model = SafeTensors.read(folder.resolve("model.safetensors"));
    SortedMap<String, SafeTensors.Tensor> tensors = new TreeMap<>(model.tensors());
    float[] values = tensors.get("bn1.bias").values().clone();
    values[2] = Float.NaN;
    tensors.put("bn1.bias", new SafeTensors.Tensor(List.of(values.length), values));
    Path weights = temp.resolve("nan.safetensors");
    new SafeTensors(model.metadata(), tensors).write(weights);
    String message = weights + ": tensor bn1.bias: value 3 of 8 is NaN; expected finite numbers";
    Cli init =
        Cli.run(
            "train",
            "configs/mnist-19k.json",
            "--set=data.dir=" + data,
            "--init=" + weights,
            "--out=" + temp.resolve("from-nan"));
    assertThat(init.exitCode()).isEqualTo(2);
    assertThat(init.err()).contains(message);
    assertThat(Cli.run("evaluate", weights.toString()).err()).contains(message);
  }

  @Test
  void initOfAnotherNetworkNamesFileAndTensor() {
    Path model = folder.resolve("model.safetensors");
    Path other = temp.resolve("other");
    Cli result =
        Cli.run(
            "train",
            "configs/mnist-19k.json",
            "--set=data.dir=" + data,
            "--set=model.layers[0].out_channels=9",
            "--init=" + folder,
            "--out=" + other);
    assertThat(result.exitCode()).isEqualTo(2);
    assertThat(result.err())
        .startsWith("convtrain: " + model + ": tensor bn1.bias: the weights have [8], the network")
        .hasLineCount(1);
    assertThat(other).doesNotExist();
  }

  @Test
  void initContinuesWithTheGivenWeights() throws IOException {
    // As PyTorch saves a batch norm: with a counter that training has no use for.
    SafeTensors model = SafeTensors.read(folder.resolve("model.safetensors"));
    SortedMap<String, SafeTensors.Tensor> tensors = new TreeMap<>(model.tensors());
    tensors.put("bn1.num_batches_tracked", new SafeTensors.Tensor(List.of(), new float[] {469}));
    Path weights = temp.resolve("pytorch.safetensors");
    new SafeTensors(Map.of(), tensors).write(weights);
    Path next = temp.resolve("next");
    Cli result =
        Cli.run(
            "train",
            "configs/mnist-19k.json",
            "--set=data.dir=" + data,
            "--set=data.limit=32",
            "--set=train.epochs=1",
            "--set=train.schedule={\"type\": \"constant\"}",
            "--set=train.optimizer={\"type\": \"sgd\", \"lr\": 1e-6}",
            "--init=" + weights,
            "--out=" + next);
    assertThat(result.exitCode()).as(result.err()).isZero();
    assertThat(epochs(next).get(0).get("test_accuracy").asDouble()).isGreaterThan(0.9);
  }

  @Test
  void aUsedFolderIsRefused() {
    Cli result =
        Cli.run("train", "configs/mnist-19k.json", "--set=data.dir=" + data, "--out=" + folder);
    assertThat(result.exitCode()).isEqualTo(2);
    assertThat(result.err())
        .isEqualTo(
            "convtrain: --out %s holds another run (found run.json); go on with it (--resume %s), give another folder, or remove that run\n"
                .formatted(folder, folder));
  }

  private static JsonNode lastEpoch() throws IOException {
    List<JsonNode> epochs = epochs(folder);
    assertThat(epochs).hasSize(6);
    return epochs.get(5);
  }

  static List<JsonNode> epochs(Path folder) throws IOException {
    List<JsonNode> epochs = new ArrayList<>();
    for (String line : Files.readAllLines(folder.resolve("metrics.jsonl"))) {
      epochs.add(JSON.readTree(line));
    }
    return epochs;
  }
}
