package convtrain.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Runs side by side, and what lies in their folders damaged. */
class ReportCommandTest {
  @TempDir private Path temp;

  /** A run of one epoch as train leaves it. */
  private Path run(String name, int seed, String train) throws IOException {
    Path folder = Files.createDirectory(temp.resolve(name));
    Files.writeString(
        folder.resolve("run.json"),
        """
        {"name": "a", "seed": %d,
         "model": {"input": [1, 28, 28], "layers": [{"type": "flatten"}, {"type": "linear", "out_features": 10}]},
         "data": {"dataset": "mnist"},
         "train": {"epochs": 1, %s}}
        """
            .formatted(seed, train));
    Files.writeString(
        folder.resolve("result.json"),
        """
        {"status": "completed", "epochs": 1, "kept_epoch": 1, "kept_by": "last",
         "chosen_on_test": false, "test_loss": 0.5, "test_accuracy": 0.9, "train_seconds": 1.0,
         "test_seconds": 0.1}
        """);
    return folder;
  }

  private static String sgd(double lr) {
    return "\"optimizer\": {\"type\": \"sgd\", \"lr\": " + lr + "}";
  }

  private static void assertError(Cli result, String message) {
    assertThat(result).isEqualTo(new Cli(2, "", "convtrain: " + message + "\n"));
  }

  @ParameterizedTest
  @ValueSource(strings = {"{\n", "{}\n", "null\n", "", "[1]\n", "{\"status\": \"completed\","})
  void aDamagedResultIsNamedWithWhatToDo(String content) throws IOException {
    Path folder = run("run", 1, sgd(0.1));
    Path file = Files.writeString(folder.resolve("result.json"), content);
    Cli report = Cli.run("report", folder.toString());
    assertThat(report.exitCode()).isEqualTo(2);
    assertThat(report.err())
        .matches(
            "convtrain: \\Q%s\\E: damaged \\(line [12]\\): this is not what convtrain wrote; remove it, then convtrain train --resume \\Q%s\\E writes it anew\n"
                .formatted(file, folder));
  }

  @Test
  void aDamagedLineOfTheMetricsIsNamed() throws IOException {
    Path folder = run("run", 1, sgd(0.1));
    Path file =
        Files.writeString(folder.resolve("metrics.jsonl"), "{\"test_accuracy\": 0.5}\n{\"test\n");
    Cli report = Cli.run("report", folder.toString(), "--png=" + temp.resolve("a.png"));
    assertThat(report.exitCode()).isEqualTo(2);
    assertThat(report.err())
        .isEqualTo(
            "convtrain: %s: damaged (line 2): this is not what convtrain wrote; correct or remove that line\n"
                .formatted(file));
  }

  @Test
  void aSeedThatIsThereTwiceIsTold() throws IOException {
    Path first = run("a", 1, sgd(0.1));
    Path copy = run("b", 1, sgd(0.1));
    Path other = run("c", 2, sgd(0.1));
    assertThat(Cli.run("report", first.toString(), copy.toString(), other.toString()).out())
        .contains("of 3 runs")
        .endsWith(
            "\nseed 1 is there 2 times, which says nothing new; mean and sd count each: %s, %s\n"
                .formatted(first, copy));
    assertThat(Cli.run("report", first.toString(), other.toString()).out())
        .doesNotContain("is there");
    assertThat(Cli.run("report", first.toString()).out()).contains("\nof 1 run  ");
  }

  @Test
  void everyRowNamesItsRuns() throws IOException {
    Path first = run("a", 1, sgd(0.1));
    run("b", 2, sgd(0.1));
    Path other = run("c", 1, sgd(0.2));
    assertThat(Cli.run("report", temp.toString()).out().lines().limit(4))
        .satisfiesExactly(
            header -> assertThat(header).endsWith("  seconds  folder"),
            rule -> assertThat(rule).startsWith("-----"),
            row -> assertThat(row).startsWith("0.1 ").endsWith("  " + first + " and 1 more"),
            row -> assertThat(row).startsWith("0.2 ").endsWith("  " + other));
  }

  @Test
  void theColumnsAreThoseThatTellMostRowsApart() throws IOException {
    run("a", 1, sgd(0.1) + ", \"batch_size\": 32");
    run("b", 1, sgd(0.2) + ", \"batch_size\": 32");
    run("c", 1, "\"optimizer\": {\"type\": \"adamw\", \"lr\": 0.3}, \"batch_size\": 64");
    String header = Cli.run("report", temp.toString()).out().lines().findFirst().orElseThrow();
    assertThat(header)
        .startsWith("batch_size  ")
        .contains("optimizer.lr", "optimizer.type")
        .doesNotContain("betas");
  }
}
