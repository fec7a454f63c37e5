package convtrain.bench;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import convtrain.bench.BenchGrid.Axis;
import convtrain.bench.BenchGrid.Combination;
import convtrain.bench.BenchGrid.Kind;
import convtrain.config.ConfigException;
import convtrain.config.RunConfig;
import convtrain.config.RunConfigLoader;
import convtrain.graph.ModelGraph;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class BenchGridTest {
  private static BenchGrid grid(String config, Axis... axes) {
    RunConfig run = RunConfigLoader.load(Path.of("configs", config), List.of());
    return new BenchGrid(RunConfigLoader.toJson(run), List.of(axes));
  }

  private static Axis axis(Kind kind, String list) {
    return Axis.parse(kind, "--list", list);
  }

  @Test
  void everyCombinationOnceTheLastAxisFastest() {
    List<Combination> all =
        grid(
                "mlp.json",
                axis(Kind.THREADS, "1,2"),
                axis(Kind.PRECISION, "fp32,tf32"),
                axis(Kind.BATCH_SIZE, "64,128"))
            .combinations();
    assertThat(all)
        .extracting(Combination::inWords)
        .hasSize(8)
        .startsWith(
            "threads 1, precision fp32, batch size 64",
            "threads 1, precision fp32, batch size 128",
            "threads 1, precision tf32, batch size 64")
        .endsWith("threads 2, precision tf32, batch size 128");
    assertThat(all.get(2).run().train().precision()).isEqualTo(Precision.TF32);
    assertThat(all.get(2).run().train().batchSize()).isEqualTo(64);
  }

  @Test
  void withoutAxesThereIsTheRunFileItself() {
    List<Combination> all = grid("mlp.json").combinations();
    assertThat(all).hasSize(1);
    assertThat(all.get(0).inWords()).isEmpty();
    assertThat(all.get(0).run())
        .isEqualTo(RunConfigLoader.load(Path.of("configs/mlp.json"), List.of()));
  }

  @Test
  void samplesAndSeedsAreTheRunFiles() {
    Combination one =
        grid("mlp.json", axis(Kind.LIMIT, "500"), axis(Kind.SEED, "7")).combinations().get(0);
    assertThat(one.run().data().limit()).isEqualTo(500);
    assertThat(one.run().seed()).isEqualTo(7);
  }

  /** A network's products grow by the square, but for its first layer and its classifier. */
  @Test
  void widthMultipliesEveryHiddenLayerAndNotTheClasses() {
    Combination wide = grid("lenet5.json", axis(Kind.WIDTH, "1,3")).combinations().get(1);
    ModelGraph graph = ModelGraph.of(wide.run().model());
    assertThat(graph.classes()).isEqualTo(10);
    assertThat(shape(graph, "c1")).isEqualTo(Shape.image(18, 28, 28));
    assertThat(shape(graph, "c5")).isEqualTo(Shape.image(360, 1, 1));
    assertThat(shape(graph, "f6")).isEqualTo(Shape.vector(252));
    assertThat(grid("lenet5.json", axis(Kind.WIDTH, "1")).combinations().get(0).run())
        .isEqualTo(grid("lenet5.json").combinations().get(0).run());
  }

  private static Shape shape(ModelGraph graph, String layer) {
    return graph.nodes().stream()
        .filter(node -> node.name().equals(layer))
        .findFirst()
        .orElseThrow()
        .out();
  }

  @Test
  void aClassifierThatIsAConvolutionKeepsItsChannels() {
    Combination wide = grid("mnist-19k.json", axis(Kind.WIDTH, "16")).combinations().get(0);
    assertThat(ModelGraph.of(wide.run().model()).classes()).isEqualTo(10);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "BATCH_SIZE | 64,,128 | found \"\"; expected whole numbers from 1 on",
        "BATCH_SIZE | 0 | found \"0\"; expected whole numbers",
        "WIDTH | 1,x | found \"x\"",
        "THREADS | 1,2,1 | a value occurs twice",
        "PRECISION | fp32,FP16 | found \"FP16\"; expected words"
      })
  void whatIsNoListIsToldWithItsOption(Kind kind, String list, String message) {
    assertThatThrownBy(() -> Axis.parse(kind, "--list", list))
        .isInstanceOf(ConfigException.class)
        .hasMessageStartingWith("--list=" + list)
        .hasMessageContaining(message);
  }

  @Test
  void aValueThatNoRunFileTakesIsToldBeforeAnythingStarts() {
    BenchGrid grid = grid("mlp.json", axis(Kind.PRECISION, "fp32,fp8"));
    assertThatThrownBy(grid::combinations)
        .isInstanceOf(ConfigException.class)
        .hasMessageContaining("train.precision")
        .hasMessageContaining("fp8");
  }
}
