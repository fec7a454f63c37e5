package convtrain.files;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import convtrain.testing.ChildJvm;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
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
  void whatALinkLeadsToIsWrittenAndTheLinkStays() throws IOException {
    Path real = Files.createDirectory(folder.resolve("real")).resolve("file");
    Path link = Files.createSymbolicLink(folder.resolve("link"), Path.of("real/file"));
    AtomicFile.write(link, "first");
    AtomicFile.write(link, "second");
    assertThat(link).isSymbolicLink();
    assertThat(real).hasContent("second").hasSameTextualContentAs(link);
    Path loop = Files.createSymbolicLink(folder.resolve("loop"), Path.of("loop"));
    assertThatThrownBy(() -> AtomicFile.write(loop, "")).isInstanceOf(IOException.class);
  }

  @Test
  void aDeviceStaysOneAndTakesTheContent() throws IOException {
    Path link = Files.createSymbolicLink(folder.resolve("link"), Path.of("/dev/null"));
    AtomicFile.write(link, "text");
    assertThat(link).isSymbolicLink();
    assertThat(Files.isRegularFile(link)).isFalse();
    assertThat(folder.toFile().list()).containsExactly("link");
  }

  /** Prints a line, then writes another to the file that is named. */
  static final class Printer {
    private Printer() {}

    public static void main(String[] file) throws IOException {
      System.out.println("printed");
      AtomicFile.write(Path.of(file[0]), "written\n");
    }
  }

  /** Standard output is a file here; renamed away, it would lose what is printed. */
  @Test
  void standardOutputTakesTheContentAfterWhatWasPrinted() throws Exception {
    Path link = Files.createSymbolicLink(folder.resolve("link"), Path.of("/proc/self/fd/1"));
    assertThat(ChildJvm.run(folder, Map.of(), Printer.class.getName(), link.toString()))
        .isEqualTo(new ChildJvm.Result(0, "printed\nwritten\n", ""));
    assertThat(link).isSymbolicLink();
  }

  @Test
  void obstaclesAreKnownBefore() throws IOException {
    Path file = Files.createFile(folder.resolve("file"));
    assertThat(AtomicFile.obstacle(file)).isNull();
    assertThat(AtomicFile.obstacle(folder.resolve("new"))).isNull();
    assertThat(AtomicFile.obstacle(Path.of("/dev/null"))).isNull();
    assertThat(AtomicFile.obstacle(folder)).isEqualTo("is a folder; give a file");
    assertThat(AtomicFile.obstacle(file.resolve("below")))
        .isEqualTo(
            "would lie in %s, which is no folder; make it, or give another file".formatted(file));
  }

  @Test
  void othersMayReadWhatTheyMayReadOfAnyNewFile() throws IOException {
    Path file = folder.resolve("group.json");
    AtomicFile.write(file, "{}");
    assertThat(Files.getPosixFilePermissions(file))
        .isEqualTo(Files.getPosixFilePermissions(Files.createFile(folder.resolve("any"))));
  }
}
