package convtrain.config;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.graph.LayerSpec;
import convtrain.graph.LossSpec;
import convtrain.graph.OptimizerSpec;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What {@code --set} can do; what it refuses stands in malformed.txt. */
class OverridesTest {
  @TempDir private Path folder;

  @Test
  void presentValuesAreReplaced() {
    assertThat(load("train.epochs=7").train().epochs()).isEqualTo(7);
    assertThat(load("train.optimizer.lr=1").train().optimizer().lr()).isEqualTo(1.0);
  }

  @Test
  void absentKeysAreAddedWithTheObjectsAroundThem() {
    assertThat(load("train.batch_size=32").train().batchSize()).isEqualTo(32);
    RunConfig config = load("data.normalize.mean=[0.5]", "data.normalize.std=0.25");
    assertThat(config.data().normalize()).isEqualTo(new Normalize(List.of(0.5), List.of(0.25)));
  }

  @Test
  void valuesThatAreNotJsonAreStrings() {
    assertThat(load("name=first try").name()).isEqualTo("first try");
    assertThat(load("name=\"5\"").name()).isEqualTo("5");
    assertThat(load("data.dir=/data/a=b").data().dir()).isEqualTo("/data/a=b");
  }

  @Test
  void laterOverridesWin() {
    assertThat(load("seed=3", "seed=4").seed()).isEqualTo(4);
  }

  @Test
  void nullTakesAKeyAway() {
    assertThat(load("data.limit=5", "data.limit=null").data().limit()).isNull();
  }

  @Test
  void wholeObjectsAreReplaced() {
    RunConfig config = load("train.optimizer={\"type\": \"adam\"}", "train.schedule.type=cosine");
    assertThat(config.train().optimizer())
        .isEqualTo(new OptimizerSpec.Adam(null, null, null, null, null));
    assertThat(config.train().schedule()).isEqualTo(new ScheduleSpec.Cosine(null, null));
  }

  @Test
  void lossIsGivenByItsNameOrWithItsKeys() {
    LossSpec smoothed = new LossSpec.CrossEntropy(0.02);
    assertThat(load("train.loss=mse").train().loss()).isEqualTo(new LossSpec.Mse());
    assertThat(load("train.loss.type=mse").train().loss()).isEqualTo(new LossSpec.Mse());
    assertThat(load("train.loss.label_smoothing=0.02").train().loss()).isEqualTo(smoothed);
    assertThat(load("train.loss=cross_entropy", "train.loss.label_smoothing=0.02").train().loss())
        .isEqualTo(smoothed);
    String word =
        RunFile.TEXT.replace("\"epochs\": 5", "\"epochs\": 5, \"loss\": \"cross_entropy\"");
    RunConfig config = RunFile.load(folder, word, "train.loss.label_smoothing=0.02");
    assertThat(config.train().loss()).isEqualTo(smoothed);
    assertThat(RunFile.load(folder, RunConfigLoader.toJson(config))).isEqualTo(config);
  }

  @Test
  void layersAreReachedByIndex() {
    RunConfig config = load("model.layers[1]={\"type\": \"tanh\"}", "model.layers[0].stride=2");
    assertThat(config.model().layers().get(1)).isInstanceOf(LayerSpec.Tanh.class);
    assertThat(((LayerSpec.Conv2d) config.model().layers().get(0)).stride().w()).isEqualTo(2);
  }

  @Test
  void elementsOfListsAreReached() {
    RunConfig config = load("model.layers[0].kernel_size=[3, 5]", "model.input[1]=20");
    assertThat(config.model().input().height()).isEqualTo(20);
  }

  @Test
  void modelFileIsSwappedAndItsLayersReached() throws IOException {
    Path model =
        Files.writeString(
            folder.resolve("net.json"),
            "{\"input\": [4], \"layers\": [{\"type\": \"linear\", \"out_features\": 3}]}");
    RunConfig config = load("model=" + model, "model.layers[0].out_features=2");
    assertThat(config.model().layers())
        .containsExactly(new LayerSpec.Linear(null, null, 2, null, null));
  }

  @Test
  void modelPathInTheFileCountsFromTheFileAndLayersInItAreReached() throws IOException {
    Files.writeString(
        folder.resolve("net.json"),
        "{\"input\": [4], \"layers\": [{\"type\": \"linear\", \"out_features\": 3}]}");
    String text = RunFile.TEXT.replaceFirst("(?s)\"model\": .*?]},", "\"model\": \"net.json\",");
    RunConfig config = RunFile.load(folder, text, "model.layers[0].bias=false");
    assertThat(config.model().layers())
        .containsExactly(new LayerSpec.Linear(null, null, 3, false, null));
  }

  private RunConfig load(String... overrides) {
    return RunFile.load(folder, RunFile.TEXT, overrides);
  }
}
