package convtrain.train;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicFileTest {
  @TempDir private Path folder;

  /** Containers that share a volume may all be process 1, as these two writers are one process. */
  @Test
  void ofTwoThatWriteAFileAtTheSameTimeBothSucceedAndTheLastStays() throws IOException {
    Path file = folder.resolve("summary.txt");
    AtomicFile.write(
        file,
        out -> {
          out.write(ByteBuffer.wrap(new byte[] {'s', 'l'}));
          AtomicFile.write(file, "fast");
          assertThat(file).hasContent("fast");
          out.write(ByteBuffer.wrap(new byte[] {'o', 'w'}));
        });
    assertThat(file).hasContent("slow");
    assertThat(folder.toFile().list()).containsExactly("summary.txt");
  }

  @Test
  void othersMayReadWhatTheyMayReadOfAnyNewFile() throws IOException {
    Path file = folder.resolve("group.json");
    AtomicFile.write(file, "{}");
    assertThat(Files.getPosixFilePermissions(file))
        .isEqualTo(Files.getPosixFilePermissions(Files.createFile(folder.resolve("any"))));
  }
}
