package convtrain.backend.cuda.device;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import convtrain.backend.cuda.natives.CacheFolder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import jcuda.driver.CUstreamCaptureStatus;
import jcuda.driver.JCudaDriver;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The fastest way is found once and remembered. */
class TunerTest extends DeviceTest {
  private static final List<String> NAMES = List.of("slow", "fast", "middling");
  private String tuning;
  private int runs;

  @BeforeEach
  void measure() {
    tuning = System.clearProperty(Tuner.PROPERTY);
  }

  @AfterEach
  void asItWas() {
    if (tuning != null) {
      System.setProperty(Tuner.PROPERTY, tuning);
    }
  }

  @Test
  void withTuningOffTheFirstCandidateIsTakenUnmeasured() {
    System.setProperty(Tuner.PROPERTY, "off");
    try {
      assertThat(pick(context(), "op off")).isZero();
      assertThat(runs).isZero();
    } finally {
      System.clearProperty(Tuner.PROPERTY);
    }
    assertThat(pick(context(), "op off")).as("nothing was remembered").isEqualTo(1);
  }

  /** Elements of a buffer whose size a GPU notices. */
  private static int elements(CudaContext context) {
    return context.info().name().startsWith("Software") ? 1 << 13 : 1 << 26;
  }

  /** Filling all, a sixteenth or a quarter of a buffer. */
  private int pick(CudaContext context, String key) {
    int all = elements(context);
    Kernel fill = context.kernels().get("device_test", "fill");
    try (CudaBuffer out = context.allocate((long) all * Float.BYTES)) {
      Stream<Launch> launches =
          Stream.of(all, all / 16, all / 4).map(n -> fill.launch((long) n / 256, 256, out, n, 1f));
      List<Runnable> candidates = launches.map(this::counted).toList();
      return context.tuner().pick(key, NAMES, candidates);
    }
  }

  private Runnable counted(Launch launch) {
    return () -> {
      runs++;
      launch.enqueue();
    };
  }

  @Test
  void fastestCandidateIsPickedAndNotMeasuredAgain() {
    assertThat(pick(context(), "op [1, 2]")).isEqualTo(1);
    assertThat(runs).isPositive();
    runs = 0;
    assertThat(pick(context(), "op [1, 2]")).isEqualTo(1);
    assertThat(runs).isZero();
    assertThat(pick(context(), "op [3, 4]")).isEqualTo(1);
    assertThat(runs).as("another key").isPositive();
  }

  /** No step could contain it, however fast it is. */
  @Test
  void candidateThatCannotBeCapturedIsNotPicked() {
    Kernel fill = context().kernels().get("device_test", "fill");
    int all = elements(context());
    try (CudaBuffer out = context().allocate((long) all * Float.BYTES)) {
      Launch slow = fill.launch(all / 256, 256, out, all, 1f);
      Launch fast = fill.launch(1, 256, out, 256, 1f);
      Runnable refusing =
          () -> {
            if (isCapturing()) {
              throw new CudaException("not while a stream is captured", 3000, true);
            }
            fast.enqueue();
          };
      List<Runnable> candidates = List.of(refusing, slow::enqueue);
      assertThat(context().tuner().pick("op", List.of("fast", "slow"), candidates)).isEqualTo(1);
    }
  }

  private boolean isCapturing() {
    int[] status = new int[1];
    Status.cuda(JCudaDriver.cuStreamIsCapturing(context().stream(), status));
    return status[0] != CUstreamCaptureStatus.CU_STREAM_CAPTURE_STATUS_NONE;
  }

  @Test
  void rerunTakesTheSameWayWithoutMeasuring() throws IOException {
    pick(context(), "op a");
    pick(context(), "op b");
    String chosen = "op a\tfast";
    assertThat(file()).content().contains(chosen).contains("op b\tfast");
    Files.writeString(file(), "op a\tmiddling\n");
    CudaContext next = reopen();
    runs = 0;
    assertThat(pick(next, "op a")).as("what the file says").isEqualTo(2);
    assertThat(runs).isZero();
    assertThat(pick(next, "op b")).isEqualTo(1);
    assertThat(file()).content().contains("op a\tmiddling").contains("op b\tfast");
  }

  /** What another process keeps while this one measures is what a rerun will read. */
  @Test
  void whatAnotherProcessKeptFirstIsTakenAndNothingOfItIsLost() throws IOException {
    CacheFolder cache = new CacheFolder(cacheFolder);
    List<String> names = List.of("slow", "fast");
    Kernel fill = context().kernels().get("device_test", "fill");
    int all = elements(context());
    try (CudaBuffer out = context().allocate((long) all * Float.BYTES);
        Tuner first = new Tuner(context().stream(), "a GPU", true, cache);
        Tuner second = new Tuner(context().stream(), "a GPU", true, cache);
        Tuner rerun = new Tuner(context().stream(), "a GPU", true, cache)) {
      Runnable slow = fill.launch(all / 256, 256, out, all, 1f)::enqueue;
      Runnable fast = fill.launch(1, 256, out, 256, 1f)::enqueue;
      boolean[] met = new boolean[1];
      Runnable meeting =
          () -> {
            if (!met[0]) {
              met[0] = true;
              assertThat(first.pick("op", names, List.of(fast, slow))).isZero();
              assertThat(first.pick("other", names, List.of(slow, fast))).isEqualTo(1);
            }
            slow.run();
          };
      assertThat(second.pick("op", names, List.of(meeting, fast))).isZero();
      assertThat(second.pick("op", names, List.of(slow, fast))).as("remembered").isZero();
      assertThat(file()).hasContent("op\tslow\nother\tfast\n");
      assertThat(rerun.pick("op", names, List.of(slow, fast))).isZero();
    }
  }

  @Test
  void damagedFileIsMeasuredAnew() throws IOException {
    pick(context(), "op");
    for (String damage : new String[] {"", "\0\u0001\t\t\t\n\n", "op", "op\tgone\n", "op\t"}) {
      Files.writeString(file(), damage);
      assertThat(pick(reopen(), "op")).isEqualTo(1);
      assertThat(file()).content().contains("op\tfast");
    }
  }

  private Path file() throws IOException {
    try (Stream<Path> files = Files.list(cacheFolder.resolve("tuning"))) {
      return files.toList().get(0);
    }
  }

  @Test
  void choiceThatCannotBeKeptIsTheFirstWhereRunsMustBeEqual(@TempDir Path folder)
      throws IOException {
    closeContext();
    Path file = Files.writeString(folder.resolve("file"), "in the way");
    CacheFolder nowhere = new CacheFolder(file.resolve("cache"));
    try (CudaContext deterministic = new CudaContext(true, nowhere)) {
      assertThat(pick(deterministic, "op")).isZero();
      assertThat(pick(deterministic, "op")).isZero();
    }
    try (CudaContext free = new CudaContext(false, nowhere)) {
      assertThat(pick(free, "op")).isEqualTo(1);
    }
  }

  @Test
  void namesAndCandidatesMustMatch() {
    assertThatThrownBy(() -> context().tuner().pick("op", NAMES, List.of()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("op: 3 names of 0 candidates");
  }
}
