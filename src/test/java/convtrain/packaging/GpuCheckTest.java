package convtrain.packaging;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs scripts/gpu-check in a bundle of fakes: an engine that writes given results at once. */
class GpuCheckTest {
  /** Leaves a run folder with the settings it was given; its weights are those of $WEIGHTS. */
  private static final String CONVTRAIN =
      """
      #!/bin/sh
      case $1 in
        --version) echo fake; exit ;;
        doctor) echo "no GPU"; exit 2 ;;
      esac
      precision=fp32 graph=true placement=auto batch=128 out='' seconds=2.0 epochs=20
      while [ $# -gt 0 ]; do
        case $1 in
          --out) out=$2 ;;
          train.precision=*) precision=${1#*=} ;;
          train.cuda_graph=*) graph=${1#*=} ;;
          train.batch_size=*) batch=${1#*=} ;;
          train.epochs=*) epochs=${1#*=} ;;
          data.placement=*) placement=${1#*=} ;;
        esac
        shift
      done
      mkdir -p "$out"
      echo '{"train":{"precision":"'$precision'","cuda_graph":'$graph',"batch_size":'$batch'},' \\
        '"data":{"placement":"'$placement'"}}' >"$out/run.json"
      [ "$graph" = true ] || seconds=3.0
      epoch=0
      while [ $epoch -lt $epochs ]; do
        epoch=$((epoch + 1))
        echo '{"epoch":1,"train_seconds":9.0,"train_accuracy":0.5,"test_accuracy":0.994}' |
          if [ $epoch = 1 ]; then cat; else sed "s/9\\\\.0/$seconds/"; fi >>"$out/metrics.jsonl"
      done
      changed=0
      case "$placement $CHANGED" in "stream stream") changed=1 ;; esac
      printf '\\003\\000\\000\\000\\000\\000\\000\\000%s weights %s' "$batch" $changed |
        head -c 100 >"$out/model.safetensors"
      """;

  private static final String PYTHON =
      """
      #!/bin/sh
      case $1 in
        *bench_jax.py)
          echo '{"engine": "jax", "facts": {"jax": "8.8"}}'
          echo '{"engine": "jax", "mode": "step", "precision": "fp32", "batch_size": 32,' \
            '"median_seconds": 3.0, "seconds": [3.0], "images": 256, "train_accuracy": 0.4}'
          exit 0
          ;;
      esac
      echo '{"engine": "pytorch", "facts": {"torch": "9.9"}}'
      echo '{"engine": "pytorch", "mode": "eager", "precision": "fp32", "batch_size": 32,' \\
        '"median_seconds": 5.0, "seconds": [5.0], "images": 256, "train_accuracy": 0.4}'
      echo '{"engine": "pytorch", "mode": "channels_last", "precision": "fp32", "batch_size": 32,' \\
        '"median_seconds": 4.0, "seconds": [4.0], "images": 256, "train_accuracy": 0.4}'
      echo '{"engine": "pytorch", "mode": "compile", "precision": "fp32", "batch_size": 32, "skipped": "no compiler"}'
      """;

  private record Result(int status, String out, String err) {}

  @TempDir Path temp;
  private Path root;
  private Path out;

  @BeforeEach
  void makeBundle() throws Exception {
    root = temp.resolve("the bundle");
    out = temp.resolve("the results");
    Files.createDirectories(root.resolve("configs"));
    Files.createDirectories(root.resolve("scripts"));
    Files.createDirectories(root.resolve("runtime/bin"));
    Files.createDirectories(root.resolve("data/mnist"));
    Files.copy(Path.of("scripts/gpu-check"), root.resolve("scripts/gpu-check"));
    assertThat(root.resolve("scripts/gpu-check")).isExecutable();
    executable("scripts/convtrain", CONVTRAIN);
    executable("scripts/fetch-data", "#!/bin/sh\n");
    executable("python", PYTHON);
    // Of the bundle's Java programs only the report is run for real, with this build's classes.
    executable(
        "runtime/bin/java",
        """
        #!/bin/sh
        for last in "$@"; do :; done
        case $* in *GpuCheckReport*) exec '%s' -cp '%s' convtrain.packaging.GpuCheckReport "$last" ;; esac
        echo "$*"
        exit 1
        """
            .formatted(
                Path.of(System.getProperty("java.home"), "bin/java"),
                System.getProperty("java.class.path")));
    for (String part : List.of("train", "t10k")) {
      Files.write(
          root.resolve("data/mnist/" + part + "-images-idx3-ubyte"), new byte[16 + 256 * 784]);
      Files.write(root.resolve("data/mnist/" + part + "-labels-idx1-ubyte"), new byte[8 + 256]);
    }
  }

  @Test
  void aFailedStageStopsNoOther() throws Exception {
    Result result = run("--device", "cpu", "--only", "tests,identity,accuracy,sanitizer");
    assertThat(result.status).as(result.toString()).isEqualTo(1);
    assertThat(stages())
        .containsExactly("tests failed", "identity passed", "accuracy passed", "sanitizer skipped");
  }

  @Test
  void everyStageChosenPassesWithExitCodeZero() throws Exception {
    Result result = run("--device", "cpu", "--only", "doctor,identity,speed");
    assertThat(result.status).as(result.toString()).isZero();
    assertThat(stages()).containsExactly("doctor passed", "identity passed", "speed passed");
    assertThat(Files.readString(out.resolve("gpu-check.md"))).contains("```\nfake\nno GPU\n```");
  }

  @Test
  void weightsThatDifferWithThePlacementFailIdentity() throws Exception {
    Result result = run(List.of("CHANGED=stream"), "--device", "cpu", "--only", "identity");
    assertThat(result.status).isEqualTo(1);
    assertThat(result.out).contains("fp32-eager-stream differs from fp32-graph-resident");
  }

  @Test
  void onAGpuEveryPrecisionIsComparedTrainedAndTimed() throws Exception {
    Result result = run("--only", "identity,accuracy,sanitizer,speed");
    assertThat(result.out).contains("10 runs, equal to the bit in fp32 bf16");
    JsonNode report = json();
    assertThat(report.path("weights_sha256")).hasSize(10);
    assertThat(report.path("accuracy").findValuesAsText("precision"))
        .containsExactlyInAnyOrder("fp32", "tf32", "fp16", "bf16");
    assertThat(report.path("speed")).hasSize(36);
    assertThat(stages()).contains("identity passed", "accuracy passed", "speed passed");
  }

  @Test
  void reportPutsTheFastestModesSideBySide() throws Exception {
    Result result =
        run(
            "--device",
            "cpu",
            "--only",
            "accuracy,speed,jax,pytorch",
            "--python",
            root.resolve("python").toString());
    assertThat(result.status).as(result.toString()).isZero();
    JsonNode report = json();
    assertThat(report.path("fastest")).hasSize(1);
    JsonNode pair = report.path("fastest").get(0);
    assertThat(pair.path("convtrain_mode").asText()).startsWith("graph, ");
    assertThat(pair.path("convtrain_seconds").asDouble())
        .as("the first epoch left out")
        .isEqualTo(2);
    assertThat(pair.path("pytorch_mode").asText()).isEqualTo("channels_last");
    assertThat(pair.path("ratio").asDouble()).isEqualTo(2.0);
    assertThat(report.path("speed")).hasSize(8);

    String text = Files.readString(out.resolve("gpu-check.md"));
    assertThat(text)
        .contains("| fp32 | 32 | 2.0000 | graph, resident | 4.0000 | channels_last | 2.00 |")
        .contains("| PyTorch | fp32 | 32 | compile | no compiler |  |")
        .contains("| Convtrain, fp32 | 1 | 99.40 % |")
        .contains("- PyTorch: torch 9.9")
        .contains("| JAX | fp32 | 32 | step | 3.0000 (3.0000) | 40.00 % |")
        .contains("- JAX: jax 8.8");
    assertThat(stages()).contains("jax passed", "pytorch passed");
  }

  @Test
  void withoutAnEngineItsStageIsSkippedAndSaysWhy() throws Exception {
    Files.writeString(
        root.resolve("python"),
        "#!/bin/sh\necho '{\"engine\": \"it\", \"skipped\": \"not for '\"$1\"'\"}'\nexit 3\n");
    Result result =
        run(
            "--device",
            "cpu",
            "--only",
            "jax,pytorch",
            "--python",
            root.resolve("python").toString());
    assertThat(result.status).isZero();
    assertThat(result.out)
        .containsPattern("jax +skipped .*not for .*/scripts/bench_jax.py")
        .containsPattern("pytorch +skipped .*not for .*/scripts/bench_pytorch.py");
  }

  /** Here it goes on for ever, and so does what it started, unless they are told to end. */
  @Test
  void theCompilationHasEndedWithAllItStartedBeforeAnythingIsTuned() throws Exception {
    Path began = root.resolve("began");
    Path ended = root.resolve("ended");
    executable(
        "python",
        """
        #!/bin/sh
        case $* in
          *--compile-only*)
            (trap 'echo child >>"$ENDED"; exit' TERM; echo >"$BEGAN"; while :; do sleep 0.1; done) &
            trap 'echo parent >>"$ENDED"; exit' TERM
            while :; do sleep 0.1; done
            ;;
        esac
        """);
    String waiting =
        CONVTRAIN
            .replace("doctor) ", "doctor) while [ ! -f \"$BEGAN\" ]; do sleep 0.1; done; ")
            .replace(
                "precision=fp32 graph",
                "[ \"$(wc -l <\"$ENDED\")\" = 2 ] || exit 1\nprecision=fp32 graph");
    executable("scripts/convtrain", waiting);
    List<String> files = List.of("BEGAN=" + began, "ENDED=" + ended);
    String python = root.resolve("python").toString();
    run(files, "--only", "doctor,identity,pytorch", "--python", python);
    assertThat(ended).content().contains("child", "parent");
    assertThat(stages()).contains("identity passed");
  }

  @Test
  void onAGpuTheTestsAreThoseOfItsBackendAlone() throws Exception {
    run("--only", "tests");
    assertThat(out.resolve("details/tests/log.txt"))
        .content()
        .contains("-Dconvtrain.test.backend=cuda", "--exclude-package=convtrain.backend.cpu");
  }

  @Test
  void theSanitizerCountsWhatKernelsDoAndNotWhatCallsReturn() throws Exception {
    executable(
        "compute-sanitizer", "#!/bin/sh\necho \"$*\"\necho '==== ERROR SUMMARY: 0 errors'\n");
    run(List.of("PATH=" + root + ":" + System.getenv("PATH")), "--only", "sanitizer");
    assertThat(stages()).containsExactly("sanitizer passed");
    assertThat(out.resolve("details/sanitizer/graph-true.txt"))
        .content()
        .contains("--tool memcheck --report-api-errors no ");
  }

  @Test
  void tinyDataSetsAreWholeIdxFiles() throws Exception {
    assertThat(run("--device", "cpu", "--only", "sanitizer").status).isZero();
    byte[] images = Files.readAllBytes(out.resolve("details/tiny/train-images-idx3-ubyte"));
    assertThat(images).hasSize(16 + 256 * 784).startsWith(0, 0, 8, 3, 0, 0, 1, 0);
    byte[] labels = Files.readAllBytes(out.resolve("details/tiny/t10k-labels-idx1-ubyte"));
    assertThat(labels).hasSize(8 + 64).startsWith(0, 0, 8, 1, 0, 0, 0, 64);
  }

  @Test
  void wrongUsageIsToldBeforeAnythingRuns() throws Exception {
    assertThat(run("--only", "speeed").err).contains("no stage is called speeed");
    assertThat(run("--device", "tpu").err).contains("expected cuda or cpu");
    assertThat(run("--device").err).contains("--device needs a value");
    assertThat(run("--fast").status).isEqualTo(2);
    assertThat(out).doesNotExist();

    Files.createDirectories(out.resolve("details"));
    Result second = run("--device", "cpu");
    assertThat(second.status).isEqualTo(2);
    assertThat(second.err).contains("holds another check");
  }

  private List<String> stages() throws IOException {
    return Stream.of(json().path("stages"))
        .flatMap(
            stages -> {
              List<String> words = new ArrayList<>();
              stages.forEach(
                  each ->
                      words.add(each.path("stage").asText() + " " + each.path("status").asText()));
              return words.stream();
            })
        .toList();
  }

  private JsonNode json() throws IOException {
    return new ObjectMapper().readTree(out.resolve("gpu-check.json").toFile());
  }

  private Result run(String... words) throws Exception {
    return run(List.of(), words);
  }

  private Result run(List<String> settings, String... words) throws Exception {
    List<String> command = new ArrayList<>(List.of("env"));
    command.addAll(settings);
    command.add(root.resolve("scripts/gpu-check").toString());
    command.add(out.toString());
    command.addAll(List.of(words));
    Path err = Files.createTempFile(temp, "err", "");
    Process process = new ProcessBuilder(command).redirectError(err.toFile()).start();
    process.getOutputStream().close();
    String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    return new Result(process.exitValue(), text, Files.readString(err));
  }

  private void executable(String name, String text) throws IOException {
    Path file = Files.writeString(root.resolve(name), text);
    assertThat(file.toFile().setExecutable(true)).isTrue();
  }
}
