package convtrain.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import convtrain.softcuda.SoftCuda;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What {@code convtrain profile} shows and writes; never how long anything took. */
class ProfileCommandTest {
  private static final int STEPS = 3;
  private static final ObjectMapper JSON = new ObjectMapper();

  /**
   * conv1's 4 x 13 x 13 outputs of 9 taps; conv2's 4 x 4 x 4 of 36; the linear layer's 10 of 64.
   */
  private static final long MACS = 4 * 169 * 9 + 4 * 16 * 36 + 640;

  @TempDir private static Path temp;
  private static Path config;

  @BeforeAll
  static void writeRun() throws IOException {
    Path data = MnistSample.folder(temp.resolve("data"), 60, 30);
    config = TinyRun.write(temp.resolve("tiny.json"), data);
  }

  private static Cli profile(String... more) {
    List<String> arguments =
        new ArrayList<>(List.of("profile", config.toString(), "--steps=" + STEPS, "--warmup=2"));
    arguments.addAll(List.of(more));
    return Cli.run(arguments.toArray(String[]::new));
  }

  private static JsonNode json(String... more) throws IOException {
    Path file = temp.resolve("ops.json");
    List<String> arguments = new ArrayList<>(List.of(more));
    arguments.add("--json=" + file);
    Cli result = profile(arguments.toArray(String[]::new));
    assertThat(result.exitCode()).as(result.err()).isZero();
    return JSON.readTree(file.toFile());
  }

  private static List<String> texts(JsonNode array, String key) {
    List<String> texts = new ArrayList<>();
    array.forEach(each -> texts.add(each.get(key).asText()));
    return texts;
  }

  @Test
  void tableHasARowForEachOpSumsOfPhasesAndTheCostOfMeasuring() {
    Cli result = profile();
    assertThat(result.exitCode()).as(result.err()).isZero();
    assertThat(result.out())
        .startsWith("tiny: a step that trains, batch size 8, fp32\ndevice: CPU, ")
        .contains("3 steps after 2; ms: the median")
        .containsPattern("(?m)^stage +batch +stage +1x28x28 > 1x28x28 +[0-9.,]+ ")
        .containsPattern("(?m)^forward +conv2d1 +conv2d +1x28x28 > 4x13x13 +[0-9.,]+ .+[a-z]$")
        .containsPattern(
            "(?m)^backward +batch_norm2d1 \\+ relu1 \\+ dropout1 +batch_norm2d \\+ relu \\+ dropout +4x13x13 > 4x13x13 ")
        .containsPattern("(?m)^update +update +update +[0-9.,]+ ")
        .containsPattern("(?m)^all +[0-9.,]+ +100\\.0 ")
        .containsPattern(
            "a step replayed plainly [0-9.]+ ms, with moments marked .+: (what )?marking costs")
        .containsPattern("bringing a batch takes the host [0-9.]+ ms more");
  }

  @Test
  void jsonHasEveryFigureWithWhatItWasMeasuredOn() throws IOException {
    JsonNode profile = json();
    assertThat(profile.at("/provenance/machine/cores").asInt()).isPositive();
    assertThat(profile.at("/provenance/command/1").asText()).isEqualTo("profile");
    assertThat(profile.get("steps").asInt()).isEqualTo(STEPS);
    assertThat(profile.get("warmup").asInt()).isEqualTo(2);
    assertThat(profile.at("/plain_ms/median").asDouble()).isPositive();
    assertThat(profile.at("/timed_ms/median").asDouble()).isPositive();
    JsonNode ops = profile.get("ops");
    assertThat(texts(ops, "phase"))
        .containsSubsequence("stage", "forward", "loss", "backward", "update");
    JsonNode conv2 = ops.get(texts(ops, "name").indexOf("conv2"));
    assertThat(conv2.get("kind").asText()).isEqualTo("conv2d");
    assertThat(conv2.get("in").toString()).isEqualTo("[[4,6,6]]");
    assertThat(conv2.get("out").toString()).isEqualTo("[4,4,4]");
    assertThat(conv2.get("flops").asLong()).isEqualTo(8 * 2 * 4 * 16 * 36);
    assertThat(conv2.at("/spread/median").asDouble()).isEqualTo(conv2.get("ms").asDouble());
    assertThat(conv2.get("implementation").asText()).isNotEmpty();
    double ms = conv2.get("ms").asDouble();
    assertThat(conv2.get("gflop_per_s").asDouble())
        .isCloseTo(conv2.get("flops").asLong() / ms / 1e6, within(1e-9));
    assertThat(conv2.get("gb_per_s").asDouble())
        .isCloseTo(conv2.get("bytes").asLong() / ms / 1e6, within(1e-9));
    assertThat(ops.get(0).has("gflop_per_s")).isFalse();
  }

  @Test
  void sharesAndPhasesAddUp() throws IOException {
    JsonNode profile = json();
    double shares = 0;
    double ms = 0;
    long flops = 0;
    for (JsonNode op : profile.get("ops")) {
      shares += op.get("share").asDouble();
      ms += op.get("ms").asDouble();
      flops += op.get("flops").asLong();
    }
    assertThat(shares).isCloseTo(1, within(1e-9));
    assertThat(flops).isEqualTo(8 * (6 * MACS - 2 * 4 * 169 * 9));
    assertThat(texts(profile.get("phases"), "phase"))
        .containsExactly("stage", "forward", "loss", "backward", "update");
    double sums = 0;
    for (JsonNode phase : profile.get("phases")) {
      sums += phase.get("ms").asDouble();
    }
    assertThat(sums).isCloseTo(ms, within(1e-9));
  }

  @Test
  void batchSizeMixingAndAccumulationAreTheRunFiles() throws IOException {
    JsonNode profile =
        json(
            "--batch-size=16",
            "--set=train.mixup={}",
            "--set=train.accumulate_steps=2",
            "--set=train.ema={}",
            "--set=data.augment={\"random_crop\": {\"padding\": 2}}");
    assertThat(profile.get("batch_size").asInt()).isEqualTo(16);
    assertThat(texts(profile.get("ops"), "kind"))
        .containsSubsequence("stage", "mix", "loss", "accumulate", "update", "average");
    assertThat(profile("--set=train.accumulate_steps=2").out())
        .contains("accumulate_steps=2: of 2 batches one is updated like this");
  }

  @Test
  void evaluationIsTheForwardPassOnTestImages() throws IOException {
    JsonNode profile = json("--evaluation");
    assertThat(profile.get("batch_size").asInt()).as("all test images").isEqualTo(30);
    assertThat(profile.get("evaluation").asBoolean()).isTrue();
    assertThat(texts(profile.get("phases"), "phase")).containsExactly("stage", "forward", "loss");
    assertThat(json("--evaluation", "--batch-size=10").get("batch_size").asInt()).isEqualTo(10);
  }

  /** Perfetto takes X events whose ts and dur are microseconds, on tracks that M events name. */
  @ParameterizedTest
  @ValueSource(strings = {"cpu", "cuda"})
  void traceHasTheOpsOfEachStepOneAfterTheOther(String backend) throws IOException {
    if (backend.equals("cuda")) {
      SoftCuda.assumeAvailable();
      SoftCuda.control();
    }
    Path file = temp.resolve("trace.json");
    Cli result = profile("--trace=" + file, "--backend=" + backend);
    assertThat(result.exitCode()).as(result.err()).isZero();
    JsonNode trace = JSON.readTree(file.toFile());
    List<JsonNode> events = new ArrayList<>();
    trace.get("traceEvents").forEach(events::add);
    assertThat(events).allMatch(each -> each.hasNonNull("name") && each.hasNonNull("pid"));
    List<JsonNode> spans =
        events.stream().filter(each -> each.get("ph").asText().equals("X")).toList();
    assertThat(spans)
        .allMatch(each -> each.get("ts").asDouble() >= 0 && each.get("dur").asDouble() >= 0);
    assertThat(spans.stream().filter(each -> each.get("cat").asText().equals("step")))
        .hasSize(2 * STEPS);
    List<JsonNode> ops = spans.stream().filter(each -> each.get("tid").asInt() == 2).toList();
    assertThat(ops).hasSizeGreaterThan(10 * STEPS);
    assertThat(ops)
        .extracting(each -> each.get("cat").asText())
        .contains("stage", "forward", "backward", "update");
    IntStream.range(1, ops.size())
        .forEach(
            i ->
                assertThat(ops.get(i).get("ts").asDouble())
                    .isGreaterThanOrEqualTo(end(ops.get(i - 1)) - 1e-3));
  }

  private static double end(JsonNode span) {
    return span.get("ts").asDouble() + span.get("dur").asDouble();
  }

  /** Its clock counts pieces of work, so each op that launches something took time. */
  @ParameterizedTest
  @ValueSource(strings = {"true", "false"})
  void onAGpuEventsTellTheTimeOfCapturedAndOfEagerSteps(String graph) throws IOException {
    SoftCuda.assumeAvailable();
    SoftCuda.control();
    JsonNode profile = json("--backend=cuda", "--set=train.cuda_graph=" + graph);
    for (JsonNode op : profile.get("ops")) {
      assertThat(op.at("/spread/min").asDouble()).as(op.toString()).isPositive();
      assertThat(op.get("implementation").asText()).as(op.toString()).isNotEmpty();
    }
    assertThat(SoftCuda.violations()).isEmpty();
    assertThat(SoftCuda.leaks()).isEmpty();
  }

  @Test
  void precisionIsTheOptionsBeforeTheRunFiles() {
    assertThat(profile("--precision=fp16").err())
        .startsWith("convtrain: train.precision=fp16: the cpu backend computes in fp32");
    assertThat(profile("--precision=fp7").err()).contains("train.precision=fp7").hasLineCount(1);
  }
}
