package convtrain.peers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code scripts/bench_*.py}, run by the Python that CONVTRAIN_PYTHON names, else python3. */
class BenchScriptsTest {
  private static final String PYTHON =
      Optional.ofNullable(System.getenv("CONVTRAIN_PYTHON")).orElse("python3");

  /** Leaves installed packages out. */
  private static final String BARE = "-S";

  private record Result(int status, String out) {}

  @TempDir private Path temp;

  @BeforeEach
  void needsPython() {
    boolean found =
        List.of(System.getenv("PATH").split(":")).stream()
            .anyMatch(folder -> Files.isExecutable(Path.of(folder).resolve(PYTHON)));
    assumeThat(found).as("%s is installed", PYTHON).isTrue();
  }

  @Test
  void jaxAndPyTorchComputeTheSame() throws Exception {
    Result result = run("src/test/python/compare_engines.py");
    assumeThat(result.status).as("%s has PyTorch and JAX: %s", PYTHON, result.out).isNotEqualTo(3);
    assertThat(result.out).contains("agrees").doesNotContain("DIFFERS");
    assertThat(result.status).isZero();
  }

  @ParameterizedTest
  @ValueSource(strings = {"pytorch", "jax"})
  void withoutItsFrameworkAScriptSaysSo(String engine) throws Exception {
    String script = "scripts/bench_" + engine + ".py";
    Result result = run(BARE, script, "configs/mnist-19k.json", "--data", "data");
    assertThat(result.status).as(result.out).isEqualTo(3);
    assertThat(result.out)
        .startsWith("{\"engine\": \"%1$s\", \"skipped\": \"no %1$s for".formatted(engine));
  }

  @Test
  void aRunFileThatAsksForMoreIsRefused() throws Exception {
    assertThat(load("configs/mnist-19k.json")).isEqualTo("mnist-19k\n");
    assertThat(load("configs/mnist-speed-99.json")).isEqualTo("mnist-speed-99\n");
    Path file = temp.resolve("run.json");
    Files.writeString(
        file,
        """
        {"model": {}, "train": {"optimizer": {"type": "sgd"}, "schedule": {"type": "cosine"}}}
        """);
    assertThat(load(file.toString())).contains("found cosine; expected constant, one_cycle");
    Files.writeString(
        file,
        """
        {"model": {}, "train": {"optimizer": {"type": "sgd", "decay_bias_and_norm": false}}}
        """);
    assertThat(load(file.toString()))
        .contains("train.optimizer: decay_bias_and_norm: not done by these scripts");
    Files.writeString(file, "{\"model\": {}, \"train\": {\"loss\": \"mse\"}}");
    assertThat(load(file.toString())).contains("train.loss: found mse; expected cross_entropy");
    Files.writeString(file, "{\"model\": {}, \"train\": {\"optimizer\": {\"type\": \"lion\"}}}");
    assertThat(load(file.toString())).contains("found lion; expected sgd, adam, adamw");
    Files.writeString(file, "{\"model\": {}, \"train\": {\"epochs\": 1}}");
    assertThat(load(file.toString())).isEqualTo("run\n");
  }

  @Test
  void aScheduleRunsItsWholeCourseInTheTimedEpochs() throws Exception {
    String program =
        """
        import sys, types
        sys.path.insert(0, "scripts")
        import bench_engine

        class Training:
            def prepare(self, steps):
                pass

            def epoch(self):
                return 0.001, 1.0, 0.5

        class Engine(bench_engine.Engine):
            def training(self, run, data, mode, precision, batch, epochs, device):
                print("scheduled", epochs)
                return Training()

        data = types.SimpleNamespace(count=1)
        options = types.SimpleNamespace(
            epochs=3, seconds=4, warmup=1, device="cpu", compile_only=False, test=False)
        line = bench_engine.measure(Engine(), {}, data, options, "eager", "fp32", 64)
        print("timed", len(line["seconds"]))
        """;
    assertThat(run(BARE, "-c", program).out).isEqualTo("scheduled 3\ntimed 3\n");
  }

  private String load(String runFile) throws Exception {
    String program = "import sys; sys.path.insert(0, 'scripts'); import bench_engine; ";
    return run(BARE, "-c", program + "print(bench_engine.load(sys.argv[1])['name'])", runFile).out;
  }

  private Result run(String... arguments) throws Exception {
    List<String> command = new ArrayList<>(List.of(PYTHON));
    command.addAll(List.of(arguments));
    Path out = temp.resolve("out");
    ProcessBuilder builder =
        new ProcessBuilder(command).redirectErrorStream(true).redirectOutput(out.toFile());
    // Leaves no __pycache__ behind.
    builder.environment().put("PYTHONDONTWRITEBYTECODE", "1");
    Process process = builder.start();
    assertThat(process.waitFor(5, TimeUnit.MINUTES)).isTrue();
    return new Result(process.exitValue(), Files.readString(out, StandardCharsets.UTF_8));
  }
}
