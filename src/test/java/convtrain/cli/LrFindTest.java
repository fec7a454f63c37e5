package convtrain.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import convtrain.testing.ChildJvm;
import convtrain.train.LearningRateFinder;
import convtrain.train.LearningRateFinder.Point;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The range test of learning rates. */
class LrFindTest {
  @TempDir private Path temp;

  @Test
  void ratesRiseByOneFactorAndEveryBatchIsInTheFile() throws IOException {
    Path data = MnistSample.folder(temp.resolve("data"), 100, 40);
    Path config = TinyRun.write(temp.resolve("tiny.json"), data);
    Path csv = temp.resolve("rates.csv");
    Path png = temp.resolve("rates.png");
    Cli result =
        Cli.run(
            "lr-find",
            config.toString(),
            "--from=0.001",
            "--to=0.1",
            "--steps=41",
            "--csv=" + csv,
            "--png=" + png,
            "--backend=cpu");
    assertThat(result.exitCode()).as(result.err()).isZero();
    assertThat(result.out())
        .containsPattern("falls fastest at +0\\.0")
        .containsPattern("tested up to +0\\.100\n")
        .containsPattern("suggested max_lr +0\\.0");
    List<String> lines = Files.readAllLines(csv);
    assertThat(lines.get(0)).isEqualTo("lr,loss,smoothed");
    assertThat(lines).hasSize(42);
    for (int step = 0; step < 41; step++) {
      double lr = Double.parseDouble(lines.get(step + 1).split(",")[0]);
      assertThat(lr).isCloseTo(0.001 * Math.pow(100, step / 40.0), within(1e-12));
    }
    assertThat(ImageIO.read(png.toFile()).getWidth()).isEqualTo(1600);
  }

  @Test
  void aLossThatGrowsHopelesslyEndsTheTest() throws IOException {
    Path data = MnistSample.folder(temp.resolve("data"), 100, 40);
    Path config = TinyRun.write(temp.resolve("tiny.json"), data);
    Cli late = Cli.run("lr-find", config.toString(), "--from=1e-3", "--to=1e30", "--backend=cpu");
    assertThat(late.exitCode()).as(late.err()).isZero();
    assertThat(late.out()).doesNotContain("e+30");
    Cli early = Cli.run("lr-find", config.toString(), "--from=1e30", "--to=1e35", "--backend=cpu");
    assertThat(early.exitCode()).isEqualTo(1);
    assertThat(early.err()).contains("the loss grew hopelessly within");
  }

  /** Runs a command and ends the virtual machine as a signal does once batches are trained. */
  static final class StoppedEarly {
    private StoppedEarly() {}

    public static void main(String[] command) {
      Thread main = Thread.currentThread();
      new Thread(
              () -> {
                while (Stream.of(main.getStackTrace())
                    .map(frame -> frame.getClassName() + "." + frame.getMethodName())
                    .noneMatch("convtrain.train.LearningRateFinder.find"::equals)) {
                  Thread.onSpinWait();
                }
                System.exit(143);
              })
          .start();
      Main.run(command);
    }
  }

  @Test
  void aSignalBeforeThereIsSomethingToShowIsToldAsThat() throws Exception {
    Path data = MnistSample.folder(temp.resolve("data"), 2000, 40);
    ChildJvm.Result result =
        ChildJvm.run(
            temp,
            Map.of(),
            StoppedEarly.class.getName(),
            "lr-find",
            "configs/mnist-19k.json",
            "--set=data.dir=" + data,
            "--set=train.batch_size=2000",
            "--backend=cpu");
    assertThat(result.status()).isEqualTo(143);
    assertThat(result.err())
        .matches("convtrain: stopped after [0-2] batches; 3 are the least to show\n");
  }

  @Test
  void theLeastAndTheSteepestAreWhereTheCurveHasThem() {
    // A valley over log(lr): flat, a straight fall about 1e-2, least at 1e-1, then a rise.
    List<Point> points =
        IntStream.range(0, 101)
            .mapToObj(
                i -> {
                  double decade = -4 + i * 0.05;
                  double loss =
                      2
                          - 1.5 / (1 + Math.exp(-6 * (decade + 2)))
                          + Math.pow(Math.max(0, decade + 1), 2);
                  return new Point(Math.pow(10, decade), loss, loss);
                })
            .toList();
    assertThat(LearningRateFinder.lowest(points)).isCloseTo(0.1, within(0.02));
    assertThat(LearningRateFinder.steepest(points)).isCloseTo(0.01, within(0.002));
  }
}
