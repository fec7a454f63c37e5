package convtrain.packaging;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs scripts/check-readme on this project and on a small one with faults in it. */
class CheckReadmeTest {
  private static final String BENCHMARK =
      """
      # Speed
      | engine | ms per step | ratio |
      |---|---|---|
      | ours | 23.5 | 1 |
      | theirs | 72.6, 12,345 | 3.09 |

      # Accuracy
      It was 99.4367 %.
      """;

  private record Result(int status, String out, String err) {}

  @TempDir private Path folder;

  @BeforeEach
  void makeProject() throws IOException {
    Files.createDirectories(folder.resolve("benchmarks"));
    Files.createDirectories(folder.resolve("scripts"));
    Files.writeString(folder.resolve("benchmarks/cpu.md"), BENCHMARK);
    Files.writeString(folder.resolve("benchmarks/log.txt"), "epoch 1:  99.10% in 9.8 s\n");
    allow("# none\n");
    readme(
        """
        It is 3.1 times as fast: 23.5 ms against 72.6, in 12,345 ms.

        | network | accuracy |
        |---|---|
        | small | 99.44 % |

        Version 7.8 has `p=9.9 %` and [a link](page-8.8-ms.html).

            run --lr 7.7 ms

        ```json
        {"a": "6.6 ms"}
        ```

        ```
        epoch 1: 99.10%   in 9.8 s
        ```
        """);
  }

  private void readme(String text) throws IOException {
    Files.writeString(folder.resolve("README.md"), text);
  }

  private void allow(String text) throws IOException {
    Files.writeString(folder.resolve("scripts/check-readme.allow"), text);
  }

  @Test
  void thisProjectsReadmeStatesWhatIsRecorded() throws Exception {
    Result result = check(Path.of("."));
    assertThat(result.err).isEmpty();
    assertThat(result.status).isZero();
  }

  @Test
  void recordedAndRoundedNumbersPassAndCommandsAreNotLookedAt() throws Exception {
    Result result = check(folder);
    assertThat(result.err).isEmpty();
    assertThat(result.out).isEqualTo("README.md: 6 measured numbers, all in benchmarks/\n");
    assertThat(result.status).isZero();
  }

  @Test
  void aNumberThatIsNotRecordedFailsWithItsPlace() throws Exception {
    readme("One\n\nIt takes 23.6 ms a step.\n");
    Result result = check(folder);
    assertThat(result.status).isEqualTo(1);
    assertThat(result.err)
        .isEqualTo(
            "README.md:3: 23.6 ms: under benchmarks/ no section that speaks of \"ms\" has a number"
                + " that rounds to it; correct it, record the measurement there or, if it is none,"
                + " list its words in scripts/check-readme.allow\n");
  }

  @Test
  void aNumberWithoutItsOwnUnitFailsBesideOneThatHasOne() throws Exception {
    readme("It takes 23.5 ms against 72.7.\n");
    assertThat(check(folder).err).startsWith("README.md:1: 72.7: under benchmarks/ no section has");
  }

  @Test
  void aRecordedNumberOfAnotherUnitFails() throws Exception {
    readme("It takes 99.44 ms.\n");
    assertThat(check(folder).err).startsWith("README.md:1: 99.44 ms: ");
  }

  @Test
  void aNumberIsNotRoundedToMoreThanWasMeasured() throws Exception {
    readme("It takes 23.51 ms.\n");
    assertThat(check(folder).err).startsWith("README.md:1: 23.51 ms: ");
  }

  @Test
  void aLineOfOutputThatWasNeverPrintedFails() throws Exception {
    readme("```\nepoch 1: 99.10% in 9.7 s\nno figures here\n```\n");
    Result result = check(folder);
    assertThat(result.status).isEqualTo(1);
    assertThat(result.err)
        .isEqualTo(
            "README.md:2: \"epoch 1: 99.10% in 9.7 s\": no file under benchmarks/ has this line of"
                + " output; show one that is recorded there, or record this one\n");
  }

  @Test
  void listedWordsPassAndThoseNoLongerThereFail() throws Exception {
    readme("A target of 99.9 % and 23.5 ms.\n");
    allow("target of 99.9 % | what is aimed at\n");
    assertThat(check(folder).status).isZero();
    readme("It takes 23.5 ms.\n");
    Result stale = check(folder);
    assertThat(stale.status).isEqualTo(1);
    assertThat(stale.err)
        .isEqualTo(
            "scripts/check-readme.allow:1: \"target of 99.9 %\" is not in README.md; delete the entry\n");
  }

  @Test
  void anEntryWithoutAReasonFails() throws Exception {
    allow("99.44 %\n");
    assertThat(check(folder).err)
        .startsWith("scripts/check-readme.allow:1: found \"99.44 %\"; expected WORDS | REASON\n");
  }

  @Test
  void aFolderThatIsNoProjectIsWrongUsage() throws Exception {
    Result result = check(folder.resolve("benchmarks"));
    assertThat(result.status).isEqualTo(2);
    assertThat(result.err).contains("has no README.md; give the project's folder");
  }

  private Result check(Path project) throws Exception {
    Path out = folder.resolve("out");
    Path err = folder.resolve("err");
    Process process =
        new ProcessBuilder("scripts/check-readme", project.toString())
            .redirectOutput(out.toFile())
            .redirectError(err.toFile())
            .start();
    assertThat(process.waitFor(2, TimeUnit.MINUTES)).isTrue();
    return new Result(
        process.exitValue(),
        Files.readString(out, StandardCharsets.UTF_8),
        Files.readString(err, StandardCharsets.UTF_8));
  }
}
