package convtrain.peers;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.testing.CpuFlags;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs scripts/bench-peers in a project of its own, with engines that answer at once. */
class BenchPeersTest {
  /** Tells of its call in the file calls and prints an engine's line; $FAILS is one that fails. */
  private static final String JAVA =
      """
      #!/bin/sh
      for word in "$@"; do
        case $word in
          convtrain.peers.*) main=${word##*.} ;;
          *.json) run=$(basename "$word" .json) ;;
        esac
      done
      [ "$main" != ComparisonReport ] || exec REAL "$@"
      echo "$run $main ${MALLOC_ARENA_MAX:-shipped} $*" >>CALLS
      if [ "$main" = "${FAILS:-}" ]; then echo 'no such luck' >&2; exit 3; fi
      echo '{"run":"'$run'","engine":"'${main%Peer}'","mode":"m","precision":"fp32","images":60000,' \\
        '"seconds":[7.512345678],"test_accuracy":0.98,"version":"1"}'
      """;

  private static final String CONVTRAIN =
      """
      #!/bin/sh
      [ "$1" != --version ] || exit 0
      exec "$JAVA_HOME/bin/java" -Doption=1 -cp convtrain.jar convtrain.cli.Main "$@"
      """;

  private static final String MVN =
      """
      #!/bin/sh
      echo "$*" >mvn-arguments
      mkdir -p target && echo 'CLASSPATH' >target/bench.classpath
      """;

  private record Result(int status, String out, String err) {}

  @TempDir private Path temp;
  private Path root;
  private Path out;

  @BeforeEach
  void makeProject() throws IOException {
    root = Files.createDirectories(temp.resolve("the project")).toRealPath();
    out = root.resolve("out");
    Files.createDirectories(root.resolve("scripts"));
    Files.createDirectories(root.resolve("src/bench/runs"));
    Files.createDirectories(root.resolve("java/bin"));
    Files.createDirectories(root.resolve("data"));
    Files.copy(Path.of("scripts/bench-peers"), root.resolve("scripts/bench-peers"));
    executable("scripts/convtrain", CONVTRAIN);
    executable("scripts/fetch-data", "#!/bin/sh\nmkdir -p \"$3\"\n");
    executable(
        "java/bin/java",
        JAVA.replace("REAL", Path.of(System.getProperty("java.home"), "bin/java").toString())
            .replace("CALLS", "'" + root.resolve("calls") + "'"));
    executable("java/bin/mvn", MVN.replace("CLASSPATH", System.getProperty("java.class.path")));
    for (String run : List.of("mnist-19k", "mnist-19k-no-dropout")) {
      Files.writeString(root.resolve("src/bench/runs/" + run + ".json"), "{\"batch_size\": 128}");
    }
  }

  private void executable(String name, String text) throws IOException {
    assertThat(Files.writeString(root.resolve(name), text).toFile().setExecutable(true)).isTrue();
  }

  /** Run, engine and allocator of each training, in their order. */
  private List<String> turns() throws IOException {
    return Files.readAllLines(root.resolve("calls")).stream()
        .map(line -> String.join(" ", List.of(line.split(" ")).subList(0, 3)))
        .toList();
  }

  @Test
  void helpIsNoFailure() throws Exception {
    Result result = run("", "--help");
    assertThat(result.status()).isZero();
    assertThat(result.out()).contains("scripts/bench-peers -o DIR", "Exit codes:");
    assertThat(result.err()).isEmpty();
  }

  @Test
  void enginesTakeTurnsOnEachNetworkInEveryRound() throws Exception {
    Result result = run("", "-P", "fp32", "-r", "2", "-n", "convtrain,djl");
    assertThat(result.err).doesNotContain("failed");
    assertThat(result.status).isZero();
    List<String> round =
        List.of(
            "mnist-19k ConvtrainPeer shipped",
            "mnist-19k DjlPeer shipped",
            "mnist-19k DjlPeer 1",
            "mnist-19k-no-dropout ConvtrainPeer shipped",
            "mnist-19k-no-dropout DjlPeer shipped",
            "mnist-19k-no-dropout DjlPeer 1");
    List<String> both = new ArrayList<>(round);
    both.addAll(round);
    assertThat(turns()).isEqualTo(both);
    assertThat(result.out)
        .contains("Djl, m, allocator tuned: 7.512 s, test")
        .contains("1.00")
        .contains("98.00 %");
    assertThat(Files.readAllLines(out.resolve("runs.jsonl")))
        .hasSize(12)
        .first()
        .asString()
        .startsWith("{\"round\":1,\"allocator\":\"as shipped\",\"run\":\"mnist-19k\"");
    assertThat(out.resolve("table.md")).content().contains("7.51, 7.51");
    assertThat(ImageIO.read(out.resolve("epoch-time.png").toFile()).getWidth()).isEqualTo(1600);
  }

  @Test
  void convtrainIsStartedAsItsScriptDoesWithAnotherMainClass() throws Exception {
    run("", "-P", "fp32", "-r", "1", "-n", "convtrain", "-e", "3", "-i", "1000");
    assertThat(Files.readAllLines(root.resolve("calls")).get(0))
        .isEqualTo(
            ("mnist-19k ConvtrainPeer shipped -Doption=1 -cp convtrain.jar:ROOT/target/quick-test-classes"
                    + " convtrain.peers.ConvtrainPeer ROOT/src/bench/runs/mnist-19k.json"
                    + " --data ROOT/data/mnist --epochs 3 --warmup 20 --images 1000"
                    + " --backend cpu --precision fp32")
                .replace("ROOT", root.toString()));
  }

  @Test
  void enginesThatComputeInBf16AreAskedForIt() throws Exception {
    Assumptions.assumeTrue(CpuFlags.has("avx512_bf16"));
    run("", "-r", "1", "-n", "convtrain,pytorch", "-m", "channels_last");
    List<String> calls = Files.readAllLines(root.resolve("calls")).subList(0, 6);
    assertThat(calls)
        .extracting(call -> call.replaceFirst(".*--precision (\\w+).*", "$1"))
        .containsExactly("fp32", "bf16", "fp32", "fp32", "bf16", "bf16");
    assertThat(calls.subList(2, 6)).allMatch(call -> call.contains("--mode channels_last "));
    assertThat(turns().subList(2, 6))
        .extracting(turn -> turn.split(" ")[2])
        .containsExactly("shipped", "1", "shipped", "1");
  }

  @Test
  void enginesInPythonTakeTheirTurnsAndNameThemselves() throws Exception {
    executable(
        "python",
        """
        #!/bin/sh
        echo "$*" >>python-calls
        name=$(basename "$1" .py)
        echo '{"engine": "'${name#bench_}'", "mode": "skipped one", "skipped": "needs a GPU"}'
        echo '{"engine": "'${name#bench_}'", "run": "r", "mode": "m", "precision": "fp32", "images": 9,' \\
          '"seconds": [2.5], "test_accuracy": 0.97, "version": "1"}'
        """);
    Result result =
        run("", "-P", "fp32", "-r", "1", "-n", "python,jax", "-p", "./python", "-i", "9");
    assertThat(result.status).as(result.err).isZero();
    assertThat(Files.readAllLines(root.resolve("python-calls")))
        .hasSize(4)
        .element(1)
        .asString()
        .startsWith(root + "/scripts/bench_jax.py " + root + "/src/bench/runs/mnist-19k.json")
        .endsWith(
            "--device cpu --test --epochs 1 --seconds 1e9 --warmup 20 --limit 9 --batch 128 --precision fp32");
    assertThat(out.resolve("table.md"))
        .content()
        .contains("PyTorch in Python, m")
        .contains("JAX, m");
    assertThat(Files.readAllLines(out.resolve("runs.jsonl"))).hasSize(4);
  }

  @Test
  void onAGpuJaxTakesTurnsWhereItFindsOne() throws Exception {
    executable(
        "python",
        """
        #!/bin/sh
        [ "$1" != -c ] || exit "${NO_JAX:-0}"
        echo '{"engine": "'$(basename "$1" .py)'", "run": "r", "mode": "m", "precision": "fp32",' \\
          '"images": 9, "seconds": [2.5], "test_accuracy": 0.97, "version": "1"}'
        """);
    List<String> gpu = List.of("-g", "cuda", "-P", "fp32", "-r", "1", "-p", "./python");
    assertThat(run("", gpu.toArray(String[]::new)).out)
        .contains("bench_pytorch, m: 2.5 s")
        .contains("bench_jax, m: 2.5 s");
    out = root.resolve("without jax");
    executable(
        "python", Files.readString(root.resolve("python")).replace("NO_JAX:-0", "NO_JAX:-1"));
    assertThat(run("", gpu.toArray(String[]::new)).out)
        .contains("bench_pytorch, m: 2.5 s")
        .doesNotContain("bench_jax");
  }

  @Test
  void anEngineThatIsNotInstalledSaysSo() throws Exception {
    executable(
        "python", "#!/bin/sh\necho '{\"engine\": \"jax\", \"skipped\": \"no JAX\"}'\nexit 3\n");
    Result result = run("", "-P", "fp32", "-r", "1", "-n", "convtrain,jax", "-p", "./python");
    assertThat(result.status).isEqualTo(1);
    assertThat(result.err)
        .contains("bench-peers: jax (all) failed on mnist-19k")
        .contains("\"skipped\": \"no JAX\"");
  }

  @Test
  void onlyWhatTheEnginesNeedIsFetched() throws Exception {
    run("", "-r", "1", "-n", "convtrain,dl4j");
    assertThat(root.resolve("mvn-arguments")).content().contains("-Pbench,bench-dl4j test-compile");
    assertThat(Files.readString(root.resolve("calls")))
        .contains("Dl4jPeer ")
        .contains("--warmup 20 --images 2560");
  }

  @Test
  void anEngineThatFailsIsNamedAndLeftOutWhileTheOthersGoOn() throws Exception {
    Result result = run("Dl4jPeer", "-P", "fp32", "-r", "2", "-n", "convtrain,dl4j");
    assertThat(result.status).isEqualTo(1);
    assertThat(result.err)
        .contains("bench-peers: dl4j (shipped:contiguous) failed on mnist-19k and is left out")
        .contains("  no such luck")
        .endsWith(
            "bench-peers: failed: dl4j/shipped:contiguous/mnist-19k"
                + " dl4j/shipped:contiguous/mnist-19k-no-dropout\n");
    assertThat(turns()).filteredOn(turn -> turn.contains("Dl4j")).hasSize(2);
    assertThat(turns()).filteredOn(turn -> turn.contains("Convtrain")).hasSize(4);
    assertThat(result.out).contains("Convtrain").contains("table.md");
  }

  @Test
  void whereNoEngineRunsThereIsNoTable() throws Exception {
    Result result = run("ConvtrainPeer", "-n", "convtrain");
    assertThat(result.status).isEqualTo(1);
    assertThat(result.err).endsWith("bench-peers: no engine ran\n");
  }

  @Test
  void wrongUsageIsToldBeforeAnythingRuns() throws Exception {
    assertThat(run("", "-r", "0").err).startsWith("bench-peers: -r 0: expected a whole number");
    assertThat(run("", "-n", "caffe").err)
        .startsWith(
            "bench-peers: -n caffe: on cpu expected some of convtrain pytorch djl dl4j python jax");
    assertThat(run("", "-P", "fp32,fp8").err)
        .startsWith("bench-peers: -P fp8: on this cpu expected some of fp32");
    assertThat(run("", "-n", "pytorch,jax", "-m", "step").err)
        .startsWith(
            "bench-peers: -m: expected -n to name one engine that has modes; found pytorch jax");
    assertThat(run("", "-n", "convtrain", "-m", "step").err).contains("modes; found none");
    assertThat(run("", "-d", "/nowhere").err)
        .startsWith("bench-peers: -d /nowhere: no such folder");
    assertThat(run("", "none.json").err).startsWith("bench-peers: none.json: no such run file");
    Files.createDirectories(out);
    Files.createFile(out.resolve("runs.jsonl"));
    Result result = run("");
    assertThat(result.status).isEqualTo(2);
    assertThat(result.err).startsWith("bench-peers: " + out + " holds another comparison");
    assertThat(root.resolve("calls")).doesNotExist();
  }

  private Result run(String fails, String... arguments) throws Exception {
    List<String> command =
        new ArrayList<>(List.of(root + "/scripts/bench-peers", "-o", out.toString(), "-g", "cpu"));
    command.addAll(List.of(arguments));
    ProcessBuilder builder =
        new ProcessBuilder(command)
            .directory(root.toFile())
            .redirectOutput(temp.resolve("stdout").toFile())
            .redirectError(temp.resolve("stderr").toFile());
    builder.environment().put("JAVA_HOME", root.resolve("java").toString());
    builder.environment().put("PATH", root.resolve("java/bin") + ":" + System.getenv("PATH"));
    builder.environment().put("FAILS", fails);
    builder.environment().remove("MALLOC_ARENA_MAX");
    Process process = builder.start();
    assertThat(process.waitFor(2, TimeUnit.MINUTES)).isTrue();
    return new Result(
        process.exitValue(),
        Files.readString(temp.resolve("stdout")),
        Files.readString(temp.resolve("stderr")));
  }
}
