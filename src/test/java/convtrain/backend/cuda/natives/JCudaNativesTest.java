package convtrain.backend.cuda.natives;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import convtrain.backend.cuda.natives.LibrarySearch.Found;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class JCudaNativesTest {
  @TempDir Path temp;

  @Test
  void theLibraryIsWrittenOnceUnderItsNameAndContent() throws IOException {
    JCudaNatives natives = new JCudaNatives(new CacheFolder(temp));
    byte[] library = JCudaNatives.original(Component.NVRTC);
    Path file = natives.place(Component.NVRTC, library);
    assertThat(file).hasFileName("libJNvrtc-12.6.0-linux-x86_64.so").hasBinaryContent(library);
    assertThat(file.getParent().getParent()).isEqualTo(temp.resolve("jcuda"));

    FileTime first = FileTime.from(Instant.parse("2020-01-01T00:00:00Z"));
    Files.setLastModifiedTime(file, first);
    assertThat(natives.place(Component.NVRTC, library)).isEqualTo(file);
    assertThat(Files.getLastModifiedTime(file)).as("left as it is").isEqualTo(first);

    byte[] other = ElfEdit.needing(library, "libnvrtc.so.12", "libnvrtc.so.13");
    assertThat(natives.place(Component.NVRTC, other)).isNotEqualTo(file).hasBinaryContent(other);
    assertThat(file).hasBinaryContent(library);
  }

  @Test
  void aDamagedEntryOfTheCacheIsReplaced() throws IOException {
    JCudaNatives natives = new JCudaNatives(new CacheFolder(temp));
    byte[] library = JCudaNatives.original(Component.NVRTC);
    Path file = natives.place(Component.NVRTC, library);
    byte[] damaged = library.clone();
    damaged[library.length / 2] ^= 1;
    Files.write(file, damaged);
    assertThat(natives.place(Component.NVRTC, library)).isEqualTo(file).hasBinaryContent(library);
    Files.write(file, new byte[0]);
    assertThat(natives.place(Component.NVRTC, library)).hasBinaryContent(library);
    try (var files = Files.list(file.getParent())) {
      assertThat(files).as("nothing is left half-way").containsExactly(file);
    }
  }

  @Test
  void withoutACacheFolderAPrivateTemporaryOneServes() throws IOException {
    Path blocked = Files.writeString(temp.resolve("file"), "no folder");
    JCudaNatives natives = new JCudaNatives(new CacheFolder(blocked));
    byte[] library = JCudaNatives.original(Component.NVRTC);
    Path file = natives.place(Component.NVRTC, library);
    assertThat(file).hasFileName("libJNvrtc-12.6.0-linux-x86_64.so").hasBinaryContent(library);
    assertThat(Files.getPosixFilePermissions(file.getParent()).toString())
        .doesNotContain("GROUP")
        .doesNotContain("OTHERS");
  }

  @Test
  void theNameThatWasFoundDecidesWhetherTheLibraryIsEdited() throws IOException {
    Path any = Files.write(temp.resolve("any.so"), JCudaNatives.original(Component.NVRTC));
    byte[] original = JCudaNatives.original(Component.CUBLAS);
    assertThat(linkedTo("libcublas.so.12", any)).isEqualTo(original);
    assertThat(linkedTo("libcublas.so.13", any))
        .as("a library without symbol versions serves any")
        .isEqualTo(ElfEdit.needing(original, "libcublas.so.12", "libcublas.so.13"));
    Files.writeString(any, "no library");
    assertThatThrownBy(() -> linkedTo("libcublas.so.13", any))
        .hasMessageContaining("JCuda's libJCublas2-12.6.0-linux-x86_64.so cannot be made to link")
        .hasMessageContaining("no ELF header");
  }

  private static byte[] linkedTo(String name, Path file) {
    return JCudaNatives.linkedTo(Component.CUBLAS, new Found(name, file, "a test"));
  }
}
