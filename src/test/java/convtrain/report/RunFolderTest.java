package convtrain.report;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.LocalDateTime;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class RunFolderTest {
  private static final LocalDateTime NOW = LocalDateTime.of(2026, 3, 4, 5, 6, 7);

  @TempDir Path dir;

  @Test
  void everyNameThatARunFileMayHaveNamesAFolder() {
    RunFolder folder = RunFolder.create(dir, "Ä run, (2) a=b", NOW);
    assertThat(folder.dir()).isDirectory().hasParent(dir);
  }

  @Test
  void foldersOfTheSameSecondAreNumbered() {
    Path runs = dir.resolve("deep/runs");
    assertThat(RunFolder.create(runs, "mnist-19k", NOW).dir())
        .isEqualTo(runs.resolve("mnist-19k-20260304-050607"))
        .isEmptyDirectory();
    assertThat(RunFolder.create(runs, "mnist-19k", NOW).dir())
        .isEqualTo(runs.resolve("mnist-19k-20260304-050607-2"))
        .isEmptyDirectory();
    assertThat(RunFolder.create(runs, "mnist-19k", NOW).dir())
        .isEqualTo(runs.resolve("mnist-19k-20260304-050607-3"));
  }

  @Test
  void aGivenFolderIsMadeOrTakenIfEmpty() throws IOException {
    Path fresh = dir.resolve("a/b");
    assertThat(RunFolder.at(fresh).dir()).isEqualTo(fresh).isEmptyDirectory();
    assertThat(RunFolder.at(fresh).dir()).isEqualTo(fresh);
  }

  @Test
  void aGivenFolderMayHoldOtherFiles() throws IOException {
    Files.writeString(dir.resolve("notes.txt"), "mine");
    RunFolder.at(dir).writeRun("{}");
    assertThat(dir.resolve("notes.txt")).hasContent("mine");
    assertThat(dir.resolve("run.json")).hasContent("{}");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "run.json",
        "metrics.jsonl",
        "model.safetensors",
        "result.json",
        "checkpoints",
        "group.json"
      })
  void aGivenFolderThatHoldsAnotherRunIsRefused(String file) throws IOException {
    Files.writeString(dir.resolve(file), "earlier");
    assertThatThrownBy(() -> RunFolder.at(dir))
        .isInstanceOf(RunFolderException.class)
        .hasMessage(
            "--out %s holds another run (found %s); go on with it (--resume %s), give another folder, or remove that run"
                .formatted(dir, file, dir));
    assertThat(dir.resolve(file)).hasContent("earlier");
  }

  /** Neither did it begin nor could --resume go on with it. */
  @Test
  void whatARunLeftThatWasKilledBeforeItsRunFileWasWrittenGivesWay() throws IOException {
    Files.writeString(dir.resolve("provenance.json"), "{}");
    Files.createDirectory(dir.resolve("checkpoints"));
    assertThat(RunFolder.at(dir).dir()).isEqualTo(dir);
    assertThat(GroupFolder.at(dir).dir()).isEqualTo(dir);
  }

  @Test
  void onlyWhatAKilledProcessOfOursBeganToWriteIsRemoved() throws IOException {
    for (String name : List.of(".model.safetensors.12.tmp", ".run.json.3.tmp")) {
      Files.createFile(dir.resolve(name));
    }
    List<String> others = List.of(".model.safetensors.tmp", ".notes.txt.12.tmp", "run.json.3.tmp");
    for (String name : others) {
      Files.createFile(dir.resolve(name));
    }
    new RunFolder(dir).removeLeftovers();
    assertThat(dir.toFile().list()).containsExactlyInAnyOrderElementsOf(others);
  }

  @ParameterizedTest
  @ValueSource(strings = {"run.json", "result.json"})
  void aFolderThatHoldsARunIsRefusedToAGroupToo(String file) throws IOException {
    Files.writeString(dir.resolve(file), "earlier");
    assertThatThrownBy(() -> GroupFolder.at(dir))
        .isInstanceOf(RunFolderException.class)
        .hasMessageContaining("holds another run (found " + file + ")");
  }

  @Test
  void aFolderThatAnotherPartOfAGroupMadeOneIsTheGroups() throws IOException {
    Files.writeString(dir.resolve("group.json"), "{}");
    assertThat(GroupFolder.at(dir).dir()).isEqualTo(dir);
  }

  @Test
  void aFileWhereTheFolderShouldStandIsRefused() throws IOException {
    Path file = Files.writeString(dir.resolve("out"), "");
    assertThatThrownBy(() -> RunFolder.at(file))
        .isInstanceOf(RunFolderException.class)
        .hasMessage("cannot make the folder %s: a file stands at %s", file, file);
    assertThatThrownBy(() -> RunFolder.create(file, "a", NOW))
        .isInstanceOf(RunFolderException.class);
  }

  @Test
  void theRunFileIsReplacedWholeWithoutLeftovers() throws IOException {
    RunFolder folder = new RunFolder(dir);
    folder.writeRun("{\"a\": 1}");
    folder.writeRun("{}");
    assertThat(dir.resolve("run.json")).hasContent("{}");
    assertThat(dir.toFile().list()).containsExactly("run.json");
  }
}
