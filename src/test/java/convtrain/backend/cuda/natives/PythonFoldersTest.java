package convtrain.backend.cuda.natives;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PythonFoldersTest {
  @TempDir Path temp;

  @Test
  void activeEnvironmentComesFirstThenThePythonOnThePathThenTheSystems() throws IOException {
    Path active = folder("venv/lib/python3.12/site-packages/nvidia/cudnn/lib");
    Path cuda13 = folder("venv/lib/python3.12/site-packages/nvidia/cu13/lib");
    Path conda = folder("conda/lib");
    Path asked = folder("pyenv/site-packages/nvidia/cublas/lib");
    Path user = folder("home/.local/lib/python3.11/site-packages/nvidia/cudnn/lib");
    Path system = folder("root/usr/lib/python3/dist-packages/nvidia/cudnn/lib");
    python("echo; echo " + temp.resolve("pyenv/site-packages"));
    assertThat(
            PythonFolders.find(
                Map.of(
                    "VIRTUAL_ENV", temp.resolve("venv").toString(),
                    "CONDA_PREFIX", temp.resolve("conda").toString(),
                    "HOME", temp.resolve("home").toString(),
                    "PATH", temp.resolve("bin") + ":/usr/bin:/bin"),
                temp.resolve("root")))
        .containsExactly(temp.resolve("venv/lib"), conda, active, cuda13, asked, user, system);
  }

  @Test
  void aPythonThatFailsOrIsNotThereGivesNothing() throws IOException {
    Path root = temp.resolve("root");
    folder("python/nvidia/cudnn/lib");
    python("echo " + temp.resolve("python") + "; exit 1");
    assertThat(PythonFolders.find(Map.of("PATH", temp.resolve("bin").toString()), root)).isEmpty();
    assertThat(PythonFolders.find(Map.of(), root)).isEmpty();
  }

  private void python(String text) throws IOException {
    Path python = Files.createDirectories(temp.resolve("bin")).resolve("python3");
    Files.writeString(python, "#!/bin/sh\n" + text + "\n");
    assertThat(python.toFile().setExecutable(true)).isTrue();
  }

  private Path folder(String path) throws IOException {
    return Files.createDirectories(temp.resolve(path));
  }
}
