package convtrain.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assumptions.assumeThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Where what a command prints does not arrive. */
class StandardOutputTest {
  private record Outcome(int exitCode, String err) {}

  /** In a process of its own, whose standard output the shell's words lead elsewhere. */
  private static Outcome run(String command, String redirection) throws Exception {
    String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    Process process =
        new ProcessBuilder(
                List.of(
                    "bash",
                    "-c",
                    "\"$0\" -Dconvtrain.tuning=off -cp \"$1\" convtrain.cli.Main "
                        + command
                        + " "
                        + redirection,
                    java,
                    System.getProperty("java.class.path")))
            .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
            .redirectOutput(ProcessBuilder.Redirect.DISCARD)
            .start();
    String err = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
    return new Outcome(process.waitFor(), err);
  }

  @ParameterizedTest
  @ValueSource(strings = {"backprop", "--help", "summary configs/mnist-19k.json"})
  void aFullDiskIsAFailure(String command) throws Exception {
    assumeThat(Path.of("/dev/full")).exists();
    assertThat(run(command, ">/dev/full"))
        .isEqualTo(
            new Outcome(
                1,
                "convtrain: writing to standard output failed: No space left on device; what it should have held is lost, at least in part\n"));
  }

  @Test
  void aClosedOutputIsAFailure() throws Exception {
    Outcome closed = run("backprop", ">&-");
    assertThat(closed.exitCode()).isEqualTo(1);
    assertThat(closed.err()).startsWith("convtrain: writing to standard output failed: ");
  }

  @Test
  void aReaderThatWantsNoMoreIsNone() throws Exception {
    String rest = "| true; exit ${PIPESTATUS[0]}";
    assertThat(run("backprop --steps 1000000", rest)).isEqualTo(new Outcome(0, ""));
  }

  @Test
  void anErrorKeepsItsExitCode() throws Exception {
    assertThat(run("summary none.json", ">/dev/full").exitCode()).isEqualTo(2);
  }
}
