package convtrain.config;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.graph.LayerSpec;
import convtrain.graph.ModelGraph;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

class ShippedConfigsTest {
  private static final Path CONFIGS = Path.of("configs");

  static Stream<Path> runFiles() throws IOException {
    try (Stream<Path> files = Files.list(CONFIGS)) {
      return files
          .filter(Files::isRegularFile)
          .filter(file -> !file.endsWith("backprop.json")) // a worksheet
          .sorted()
          .toList()
          .stream();
    }
  }

  @ParameterizedTest
  @MethodSource("runFiles")
  void everyRunFileLoadsAsATenClassNetworkOfItsName(Path file) {
    RunConfig config = RunConfigLoader.load(file, List.of());
    assertThat(config.name() + ".json").isEqualTo(file.getFileName().toString());
    assertThat(ModelGraph.of(config.model()).classes()).isEqualTo(10);
  }

  @ParameterizedTest
  @MethodSource("runFiles")
  void resolvedRunFileLoadsBackEqual(Path file, @TempDir Path folder) throws IOException {
    RunConfig config = RunConfigLoader.load(file, List.of());
    Path resolved =
        Files.writeString(folder.resolve("resolved.json"), RunConfigLoader.toJson(config));
    assertThat(RunConfigLoader.load(resolved, List.of())).isEqualTo(config);
  }

  @ParameterizedTest
  @CsvSource({
    "mnist-19k.json, 19192",
    "fashion-mnist.json, 19192",
    "lenet5.json, 61706",
    "mlp.json, 235146",
    "mnist-8k.json, 7576",
    "mnist-max.json, 288170",
    "mnist-speed-99.json, 30402",
    "mnist-speed-994.json, 52570",
    "resnet-tiny.json, 77754"
  })
  void networksHaveTheirParameterCounts(String file, long parameters) {
    assertThat(graph(file).trainableParameters()).isEqualTo(parameters);
  }

  @Test
  void parameterCountsAreCheckedForEveryShippedFile() throws IOException {
    assertThat(runFiles()).hasSize(9);
  }

  @Test
  void smallNetworkStaysBelowEightThousand() {
    assertThat(graph("mnist-8k.json").trainableParameters()).isLessThan(8000);
  }

  @Test
  void fashionMnistTrainsTheNineteenThousandNetwork() {
    assertThat(load("fashion-mnist.json").model()).isEqualTo(load("mnist-19k.json").model());
  }

  @Test
  void residualNetworkProjectsWhereItStrides() {
    List<LayerSpec.Conv2d> projections =
        load("resnet-tiny.json").model().layers().stream()
            .filter(layer -> layer.name() != null && layer.name().endsWith("/project"))
            .map(LayerSpec.Conv2d.class::cast)
            .toList();
    assertThat(projections).hasSize(2).allMatch(conv -> conv.stride().h() == 2);
  }

  private static RunConfig load(String file) {
    return RunConfigLoader.load(CONFIGS.resolve(file), List.of());
  }

  private static ModelGraph graph(String file) {
    return ModelGraph.of(load(file).model());
  }
}
