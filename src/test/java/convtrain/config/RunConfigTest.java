package convtrain.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import convtrain.graph.DataPlacement;
import convtrain.graph.LossSpec;
import convtrain.graph.OptimizerSpec;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RunConfigTest {
  @TempDir private Path folder;

  @AfterEach
  void forgetHome() {
    System.clearProperty("convtrain.home");
  }

  @Test
  void absentKeysHaveTheirDefaults() {
    RunConfig config = RunFile.load(folder, RunFile.TEXT);
    assertThat(config.name()).isEqualTo("run");
    assertThat(config.seed()).isEqualTo(1);
    assertThat(config.data())
        .isEqualTo(
            new DataConfig(
                "mnist",
                "data/mnist",
                new Normalize(List.of(0.0), List.of(1.0)),
                true,
                null,
                0.0,
                false,
                DataPlacement.AUTO,
                null));
    TrainConfig defaults =
        new TrainConfig(
            3, null, null, null, null, null, null, null, null, null, null, null, null, null, null,
            null, null);
    assertThat(defaults)
        .isEqualTo(
            new TrainConfig(
                3,
                128,
                new LossSpec.CrossEntropy(0.0),
                new OptimizerSpec.Sgd(0.001, 0.0, 0.0, false, 0.0, true),
                new ScheduleSpec.Constant(0),
                null,
                null,
                1,
                null,
                null,
                Precision.FP32,
                true,
                true,
                Keep.LAST,
                Monitor.VALIDATION_LOSS,
                null,
                new CheckpointEvery(1, null)));
  }

  @Test
  void resolvedRunFileSpellsDefaultsOut() {
    assertThat(RunConfigLoader.toJson(RunFile.load(folder, RunFile.TEXT)))
        .contains("\"validation_split\" : 0.0", "\"dilation\" : 1", "\"weight_decay\" : 0.0")
        .contains("\"precision\" : \"fp32\"", "\"placement\" : \"auto\"", "\"cuda_graph\" : true")
        .contains("\"warmup_steps\" : 0", "\"mean\" : 0.0", "\"batch_size\" : 128")
        .doesNotContain("null");
  }

  @Test
  void resolvedRunFileKeepsPairsListsAndWords() {
    RunConfig config =
        RunFile.load(
            folder,
            RunFile.TEXT,
            "model.layers[0].padding=same",
            "model.layers[0].kernel_size=[1, 3]",
            "model.input=[2, 9, 9]",
            "data.normalize={\"mean\": [0.1, 0.2], \"std\": [1, 2]}",
            "train.schedule={\"type\": \"multi_step\", \"milestones\": [2, 4]}",
            "train.optimizer={\"type\": \"adamw\", \"betas\": [0.8, 0.9]}",
            "train.loss={\"type\": \"cross_entropy\", \"label_smoothing\": 0.1}");
    assertThat(RunFile.load(folder, RunConfigLoader.toJson(config))).isEqualTo(config);
  }

  @Test
  void numbersForAllChannelsAreSpreadAndListsKept() {
    Normalize normalize = new Normalize(List.of(0.5), List.of(1.0, 2.0, 4.0));
    assertThat(normalize.means(Shape.image(3, 8, 8))).containsExactly(0.5f, 0.5f, 0.5f);
    assertThat(normalize.stds(Shape.image(3, 8, 8))).containsExactly(1f, 2f, 4f);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> normalize.stds(Shape.image(4, 8, 8)))
        .withMessage("std has 3 values; expected 1 or 4 for the input [4, 8, 8]");
  }

  @Test
  void dataIsLookedForInTheProjectsFolderOnlyIfNotInTheWorkingDirectory() throws IOException {
    System.setProperty("convtrain.home", folder.toString());
    DataConfig data = data("src/no-such-data");
    assertThat(data.resolveDir()).isEqualTo(Path.of("src/no-such-data"));
    Path there = Files.createDirectories(folder.resolve("src/no-such-data"));
    assertThat(data.resolveDir()).isEqualTo(there);
    Files.createDirectories(folder.resolve("src/main"));
    assertThat(data("src/main").resolveDir()).isEqualTo(Path.of("src/main"));
    assertThat(data(folder.toString()).resolveDir()).isEqualTo(folder);
  }

  @Test
  void cyclingAMomentumThatTheOptimizerLacksIsRefusedUnlessSwitchedOff() {
    OptimizerSpec plain = new OptimizerSpec.Sgd(0.1, 0.0, null, null, null, null);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> train(1, plain, oneCycle(null)))
        .withMessageContaining("set schedule.cycle_momentum=false");
    LearningRates rates = train(2, plain, oneCycle(false)).learningRates(10);
    assertThat(rates.steps()).isEqualTo(20);
    assertThat(rates.momentum(7)).isZero();
  }

  private static ScheduleSpec oneCycle(Boolean cycleMomentum) {
    return new ScheduleSpec.OneCycle(0.1, null, null, null, null, cycleMomentum, null, null, null);
  }

  private static TrainConfig train(int epochs, OptimizerSpec optimizer, ScheduleSpec schedule) {
    return new TrainConfig(
        epochs, null, null, optimizer, schedule, null, null, null, null, null, null, null, null,
        null, null, null, null);
  }

  private static DataConfig data(String dir) {
    return new DataConfig("mnist", dir, null, null, null, null, null, null, null);
  }
}
