package convtrain.cli;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.testing.ChildJvm;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class StopSignalTest {
  private static final int STATUS = 143;

  @TempDir private Path temp;

  /** Begins a run, is told to end, and begins another. */
  static final class TwoRuns {
    private TwoRuns() {}

    public static void main(String[] args) throws InterruptedException {
      try (StopSignal stop = new StopSignal(new PrintWriter(System.err, true))) {
        stop.await();
        end(stop);
        stop.await();
        System.out.println("second run");
      }
    }
  }

  /** Is told to end before it begins a run. */
  static final class Late {
    private Late() {}

    public static void main(String[] args) throws InterruptedException {
      try (StopSignal other = new StopSignal(new PrintWriter(System.err, true));
          StopSignal stop = new StopSignal(new PrintWriter(System.err, true))) {
        other.await();
        end(other);
        stop.await();
        System.out.println("stop: " + stop.getAsBoolean());
      }
    }
  }

  private static void end(StopSignal stop) throws InterruptedException {
    new Thread(() -> System.exit(STATUS)).start();
    while (!stop.getAsBoolean()) {
      Thread.sleep(1);
    }
  }

  private ChildJvm.Result child(Class<?> main) throws Exception {
    return ChildJvm.run(temp, Map.of(), main.getName());
  }

  @Test
  void aSignalBetweenTwoRunsIsNoErrorOfTheSecond() throws Exception {
    assertThat(child(TwoRuns.class)).isEqualTo(new ChildJvm.Result(STATUS, "second run\n", ""));
  }

  @Test
  void aSignalJustBeforeTheFirstRunIsHeeded() throws Exception {
    assertThat(child(Late.class)).isEqualTo(new ChildJvm.Result(STATUS, "stop: true\n", ""));
  }
}
