package convtrain.backend.cuda.natives;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import convtrain.backend.BackendException;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** On jars with the form of org.bytedeco's and libraries of a few letters. */
class RedistTest {
  private static final String LIBRARIES = "org/bytedeco/cuda/linux-x86_64/";
  private static final String ABOUT = "META-INF/maven/org.bytedeco/cuda/pom.properties";

  @TempDir Path temp;

  @Test
  void neededLibrariesAreUnpackedOnceAndFound() throws IOException {
    Path jar = jar("version=12.6-9.5-1.5.11\n");
    CacheFolder cache = new CacheFolder(temp.resolve("cache"));
    Redist.Unpacked first = Redist.unpack(jar, cache);
    Path folder = cache.path("cuda-redist/12.6-9.5-1.5.11");
    assertThat(first).isEqualTo(new Redist.Unpacked(folder, 4, 4 * 13L, true));
    assertThat(folder.toFile().list())
        .containsExactlyInAnyOrder(
            "libcudnn.so.9", "libcudnn_ops.so.9", "libcublasLt.so.12", "libnvrtc.so.12");
    assertThat(folder.resolve("libcudnn.so.9")).hasContent("a few letters");
    assertThat(temp.resolve("cache/cuda-redist.unfinished")).doesNotExist();

    Files.delete(folder.resolve("libcudnn.so.9"));
    assertThat(Redist.unpack(jar, cache)).isEqualTo(new Redist.Unpacked(folder, 4, 52L, false));
    assertThat(folder.resolve("libcudnn.so.9")).as("not unpacked again").doesNotExist();
  }

  @Test
  void whatAKilledProcessLeftIsNotTakenForWhole() throws IOException {
    Path left = Files.createDirectories(temp.resolve("cache/cuda-redist.unfinished"));
    Files.writeString(left.resolve("libcudnn.so.9"), "half");
    Files.writeString(left.resolve("other"), "of another version");
    CacheFolder cache = new CacheFolder(temp.resolve("cache"));
    Redist.Unpacked unpacked = Redist.unpack(jar("version=1.0\n"), cache);
    assertThat(unpacked.folder().resolve("libcudnn.so.9")).hasContent("a few letters");
    assertThat(unpacked.folder().resolve("other")).doesNotExist();
  }

  @Test
  void aDamagedJarLeavesNothingBehind() throws IOException {
    Path jar = jar("version=1.0\n");
    String bytes = Files.readString(jar, StandardCharsets.ISO_8859_1);
    Files.writeString(
        jar, bytes.replaceFirst("a few letters", "a few lettres"), StandardCharsets.ISO_8859_1);
    CacheFolder cache = new CacheFolder(temp.resolve("cache"));
    assertThatThrownBy(() -> Redist.unpack(jar, cache))
        .isInstanceOf(BackendException.class)
        .hasMessageContaining("is damaged (wrong checksum of " + LIBRARIES)
        .hasMessageContaining("delete it and bring it again");
    assertThat(temp.resolve("cache/cuda-redist").toFile().list()).isEmpty();
    assertThat(temp.resolve("cache/cuda-redist.unfinished")).doesNotExist();
  }

  @Test
  void otherFilesAreRefusedByName() throws IOException {
    CacheFolder cache = new CacheFolder(temp.resolve("cache"));
    Path text = Files.writeString(temp.resolve("text.jar"), "no jar");
    assertThatThrownBy(() -> Redist.unpack(text, cache))
        .hasMessageContaining("text.jar is damaged");
    Path none = temp.resolve("none.jar");
    assertThatThrownBy(() -> Redist.unpack(none, cache)).hasMessageContaining("none.jar");
    Path nameless = jar("artifactId=cuda\n");
    assertThatThrownBy(() -> Redist.unpack(nameless, cache))
        .hasMessageContaining("does not tell its version");
    Path outside = jar("version=../../home\n");
    assertThatThrownBy(() -> Redist.unpack(outside, cache))
        .hasMessageContaining("does not tell its version");
    Path empty = temp.resolve("empty.jar");
    try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(empty))) {
      zip.putNextEntry(new ZipEntry(LIBRARIES + "libnccl.so.2"));
    }
    assertThatThrownBy(() -> Redist.unpack(empty, cache))
        .hasMessageContaining("holds none of NVIDIA's libraries; expected cuda-VERSION-linux");
  }

  @Test
  void aDiskTooSmallIsToldBeforeAnythingIsWritten() {
    assertThatThrownBy(() -> Redist.expectSpace(1_600_000_000, 1_500_000_000, temp))
        .isInstanceOf(BackendException.class)
        .hasMessageContaining("takes 1.6 GB in " + temp + ", where 1.5 GB are free")
        .hasMessageContaining("set CONVTRAIN_CACHE to a folder on another disk");
    Redist.expectSpace(1_600_000_000, 1_600_000_000, temp);
  }

  /** With four libraries that are needed, two that are not. */
  private Path jar(String about) throws IOException {
    Path jar = Files.createTempFile(temp, "cuda", ".jar");
    Map<String, String> entries = new LinkedHashMap<>();
    for (String name :
        new String[] {
          "libcudnn.so.9",
          "libcudnn_ops.so.9",
          "libcublasLt.so.12",
          "libnvrtc.so.12",
          "libnccl.so.2",
          "libcudart.so.12"
        }) {
      entries.put(LIBRARIES + name, "a few letters");
    }
    entries.put(ABOUT, about);
    try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(jar))) {
      for (Map.Entry<String, String> entry : entries.entrySet()) {
        byte[] content = entry.getValue().getBytes(StandardCharsets.US_ASCII);
        CRC32 checksum = new CRC32();
        checksum.update(content);
        ZipEntry stored = new ZipEntry(entry.getKey());
        stored.setMethod(ZipEntry.STORED);
        stored.setSize(content.length);
        stored.setCrc(checksum.getValue());
        zip.putNextEntry(stored);
        zip.write(content);
      }
    }
    return jar;
  }
}
