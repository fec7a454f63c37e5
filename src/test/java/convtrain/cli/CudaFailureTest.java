package convtrain.cli;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.softcuda.SoftCuda;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A device that fails: each time one clear error, nothing left behind, and the CPU still there. */
class CudaFailureTest {
  /** What fails here may have had an alternative. */
  private static final Set<String> OTHER_WAYS = Set.of("launch", "cudnn", "cublas");

  @TempDir private static Path temp;
  private static Path config;
  private static int runs;

  @BeforeAll
  static void prepare() throws IOException {
    SoftCuda.assumeAvailable();
    Path data = MnistSample.folder(temp.resolve("data"), 20, 10);
    config = TinyRun.write(temp.resolve("tiny.json"), data);
    SoftCuda.control();
    Cli whole = train("--backend=cuda");
    assertThat(whole.exitCode()).as(whole.err()).isZero();
  }

  @AfterAll
  static void asItWas() {
    if (SoftCuda.unavailable().isEmpty()) {
      SoftCuda.control();
    }
  }

  private static Cli train(String... more) {
    List<String> arguments =
        new ArrayList<>(List.of("train", config.toString(), "--out=" + temp.resolve("r" + runs++)));
    arguments.addAll(Arrays.asList(more));
    return Cli.run(arguments.toArray(String[]::new));
  }

  /**
   * The first, second, fourth, eighth ... call of a kind fails, until a run has fewer; the status
   * is the driver's or the library's own for it.
   */
  @ParameterizedTest
  @CsvSource({
    "alloc, 2, resident",
    "hostalloc, 2, stream",
    "copy, 719, stream",
    "launch, 701, stream",
    "graph, 999, stream",
    "module, 209, stream",
    "stream, 2, resident",
    "event, 2, stream",
    "nvrtc, 11, resident",
    "cudnn, 4000, stream",
    "cublas, 14, stream",
    "execution, 700, stream",
    "execution, 719, resident"
  })
  void everyFailureIsOneClearErrorAndLeavesNothing(String kind, int status, String placement) {
    int failures = 0;
    for (int nth = 1; nth <= 4096; nth *= 2) {
      SoftCuda.control("fail=" + kind + ":" + nth + ":" + status);
      Cli result = train("--backend=cuda", "--set=data.placement=" + placement);
      if (SoftCuda.injected().isEmpty()) {
        assertThat(result.exitCode()).as(result.err()).isZero();
        break;
      }
      failures++;
      String what = kind + " " + nth + ": " + result.err();
      // A way that fails when ways are measured drops out, and another is taken.
      boolean otherWay = result.exitCode() == 0 && OTHER_WAYS.contains(kind);
      if (!otherWay) {
        assertThat(result.exitCode()).as(what).isIn(1, 2);
        assertThat(result.err()).as(what).startsWith("convtrain: ").doesNotContain("unexpected");
        assertThat(result.err().lines()).as(what).hasSize(1);
      }
      assertThat(SoftCuda.leaks()).as(what).isEmpty();
      assertThat(SoftCuda.violations()).as(what).isEmpty();
    }
    assertThat(failures).as("failures injected").isPositive();
    Cli onCpu = train("--backend=cpu");
    assertThat(onCpu.exitCode()).as(onCpu.err()).isZero();
  }

  @Test
  void aPlanTooLargeForTheDeviceNamesTheBatchSizeThatFits() {
    String[] wide = {
      "--backend=cuda", "--set=model.layers[0].out_channels=512", "--set=train.batch_size=20"
    };
    SoftCuda.control("memory=200000000");
    Cli large = train(wide);
    assertThat(large.exitCode()).as(large.err()).isZero();
    // cuBLAS has 32 MiB of it.
    SoftCuda.control("memory=42000000");
    Cli small = train(wide);
    assertThat(small.exitCode()).as(small.err()).isEqualTo(1);
    assertThat(small.err())
        .contains(
            "batch size 20 needs ", " are free on cuda; most goes to: ", "; a plan of batch size ");
    assertThat(SoftCuda.leaks()).isEmpty();
  }

  @Test
  void aRunOfASweepThatIsTooLargeForTheDeviceLeavesItToTheNext() {
    Path group = temp.resolve("sweep");
    SoftCuda.control("memory=42000000");
    Cli sweep =
        Cli.run(
            "sweep",
            config.toString(),
            "--set=model.layers[0].out_channels=4,512,8",
            "--set=train.batch_size=20",
            "--backend=cuda",
            "--out=" + group);
    assertThat(sweep.exitCode()).as(sweep.err()).isEqualTo(1);
    assertThat(sweep.err())
        .startsWith("convtrain: out_channels=512: training at batch size 20 needs ")
        .hasLineCount(1);
    assertThat(group.resolve("out_channels=4/result.json")).exists();
    assertThat(group.resolve("out_channels=8/result.json")).exists();
    assertThat(sweep.out()).contains("1 of 3 runs is not over");
    assertThat(SoftCuda.leaks()).isEmpty();
  }
}
