package convtrain.report;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ProvenanceTest {
  @TempDir Path dir;

  @Test
  void tellsWhatARunWasMadeWithAndFrom() throws Exception {
    Path data = Files.writeString(dir.resolve("images"), "abc");
    Provenance.Run run =
        new Provenance.Run(
            7,
            Instant.parse("2026-03-04T05:06:07.89Z"),
            List.of("train", "a b.json"),
            "cpu (oneDNN 3.11)",
            2,
            Map.of("oneDNN", "3.11"),
            List.of(data));
    new RunFolder(dir).write(Provenance.of(run));

    JsonNode json = new ObjectMapper().readTree(dir.resolve("provenance.json").toFile());
    assertThat(json.get("convtrain_version").asText()).isEqualTo("dev");
    assertThat(json.get("seed").asLong()).isEqualTo(7);
    assertThat(json.get("started").asText()).isEqualTo("2026-03-04T05:06:07Z");
    assertThat(json.get("command")).hasToString("[\"train\",\"a b.json\"]");
    assertThat(json.get("backend").asText()).isEqualTo("cpu (oneDNN 3.11)");
    assertThat(json.get("threads").asInt()).isEqualTo(2);
    assertThat(json.get("libraries")).hasToString("{\"oneDNN\":\"3.11\"}");
    assertThat(json.at("/machine/cores").asInt()).isPositive();
    assertThat(json.at("/machine/memory_bytes").asLong()).isGreaterThan(1L << 20);
    assertThat(json.at("/jvm/version").asText()).isEqualTo(System.getProperty("java.version"));
    assertThat(json.at("/data/0/path").asText()).isEqualTo(data.toString());
    assertThat(json.at("/data/0/bytes").asLong()).isEqualTo(3);
    assertThat(json.at("/data/0/sha256").asText())
        .isEqualTo("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  }

  @Test
  void readsTheProcessorsNameWhereLinuxTellsIt() throws IOException {
    Path cpuinfo =
        Files.writeString(
            dir.resolve("cpuinfo"), "processor\t: 0\nmodel name\t: A B: C\nmodel name\t: D\n");
    assertThat(Provenance.Machine.cpuModel(cpuinfo)).isEqualTo("A B: C");
    assertThat(Provenance.Machine.cpuModel(dir.resolve("none"))).isNull();
  }

  @Test
  void knowsTheCommitOfACheckoutAndWhetherItWasChanged() throws Exception {
    Path file = Files.writeString(dir.resolve("a.txt"), "1");
    git("init", "-q");
    git("add", "a.txt");
    git("-c", "user.name=n", "-c", "user.email=e", "commit", "-q", "-m", "first");
    Files.writeString(dir.resolve("untracked.txt"), "");

    GitState clean = GitState.of(dir);
    assertThat(clean.commit()).matches("[0-9a-f]{40,64}");
    assertThat(clean.dirty()).isFalse();
    Files.writeString(file, "22");
    assertThat(GitState.of(dir)).isEqualTo(new GitState(clean.commit(), true));
    assertThat(GitState.of(Files.createDirectory(dir.resolve("inside"))))
        .as("an installation inside someone's checkout is not that checkout")
        .isNull();
  }

  @Test
  void aFolderOutsideAnyCheckoutHasNoCommit() {
    assertThat(GitState.of(dir)).isNull();
    assertThat(GitState.of(dir.resolve("none"))).isNull();
  }

  private void git(String... words) throws Exception {
    String[] command = new String[words.length + 1];
    command[0] = "git";
    System.arraycopy(words, 0, command, 1, words.length);
    assertThat(new ProcessBuilder(command).directory(dir.toFile()).inheritIO().start().waitFor())
        .isZero();
  }
}
