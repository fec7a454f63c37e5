package convtrain.backend.cuda.natives;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import convtrain.backend.cuda.natives.ElfFile.VersionNeed;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** On the natives that JCuda's jars bring. */
class ElfEditTest {
  @ParameterizedTest
  @CsvSource({
    "DRIVER, libcuda.so.1, ''",
    "CUDNN, libcudnn.so.9, libcudnn.so.9",
    "CUBLAS, libcublas.so.12, libcublas.so.12",
    "NVRTC, libnvrtc.so.12, libnvrtc.so.12"
  })
  void readsWhatJCudasNativesNeed(Component component, String needed, String version)
      throws Exception {
    ElfFile file = ElfFile.parse(JCudaNatives.original(component));
    assertThat(file.soname()).isEqualTo(JCudaNatives.fileName(component));
    assertThat(names(file)).contains(needed, "libc.so.6");
    List<VersionNeed> versions = needs(file, needed);
    assertThat(versions.stream().map(need -> need.name().value()).toList())
        .isEqualTo(version.isEmpty() ? List.of() : List.of(version));
    assertThat(file.versionsNeeded()).allMatch(v -> v.hash() == ElfFile.hash(v.name().value()));
    assertThat(file.versionsDefined()).isEmpty();
  }

  @ParameterizedTest
  @CsvSource({"CUBLAS, libcublas.so.12, libcublas.so.13", "NVRTC, libnvrtc.so.12, libnvrtc.so.13"})
  void editedLibraryNeedsTheOtherNameAndVersionAndIsElseUnchanged(
      Component component, String from, String to) throws Exception {
    byte[] original = JCudaNatives.original(component);
    byte[] kept = original.clone();
    byte[] edited = ElfEdit.needing(original, from, to);
    assertThat(original).as("the input").isEqualTo(kept);

    ElfFile before = ElfFile.parse(original);
    ElfFile after = ElfFile.parse(edited);
    assertThat(names(after))
        .isEqualTo(names(before).stream().map(name -> name.equals(from) ? to : name).toList());
    VersionNeed need = needs(after, to).get(0);
    assertThat(need.name().value()).isEqualTo(to);
    assertThat(need.hash()).isEqualTo(ElfFile.hash(to)).isNotEqualTo(ElfFile.hash(from));
    assertThat(needs(after, from)).isEmpty();

    long changed = 0;
    for (int i = 0; i < original.length; i++) {
      changed += original[i] == edited[i] ? 0 : 1;
    }
    // The last letter of the name, kept once, and the hash's last byte, which that letter is in.
    assertThat(changed).isEqualTo(2);
  }

  @Test
  void hashIsThatOfTheSystemVInterface() {
    // As readelf shows them of any library that is linked to glibc.
    assertThat(ElfFile.hash("GLIBC_2.2.5")).isEqualTo(0x09691a75);
    assertThat(ElfFile.hash("GLIBC_2.14")).isEqualTo(0x06969194);
    assertThat(ElfFile.hash("GLIBCXX_3.4")).isEqualTo(0x08922974);
    assertThat(ElfFile.hash("")).isZero();
  }

  @Test
  void refusesALibraryThatIsNotAsExpected() throws Exception {
    byte[] library = JCudaNatives.original(Component.NVRTC);
    assertThatThrownBy(() -> ElfEdit.needing(library, "libnvrtc.so.12", "libnvrtc.so.130"))
        .hasMessageContaining("not as long");
    assertThatThrownBy(() -> ElfEdit.needing(library, "libcublas.so.12", "libcublas.so.13"))
        .hasMessageContaining("needs libcublas.so.12 0 times, expected once")
        .hasMessageContaining(JCudaNatives.fileName(Component.NVRTC));
    // Asks for versions of other names.
    assertThatThrownBy(() -> ElfEdit.needing(library, "libc.so.6", "libc.so.7"))
        .hasMessageContaining("not a build this edit is made for");

    byte[] wrongHash = library.clone();
    wrongHash[needs(ElfFile.parse(library), "libnvrtc.so.12").get(0).hashOffset()] ^= 1;
    assertThatThrownBy(() -> ElfEdit.needing(wrongHash, "libnvrtc.so.12", "libnvrtc.so.13"))
        .hasMessageContaining("has a wrong hash of libnvrtc.so.12");
  }

  @Test
  void damagedFilesAreToldFromLibraries() {
    byte[] library = JCudaNatives.original(Component.NVRTC);
    assertThatThrownBy(() -> ElfFile.parse("GROUP ( libc.so.6 )".repeat(9).getBytes()))
        .isInstanceOf(ElfFile.FormatException.class)
        .hasMessageContaining("no ELF header");
    assertThatThrownBy(() -> ElfFile.parse(new byte[0]))
        .isInstanceOf(ElfFile.FormatException.class);
    for (int length : new int[] {64, 100, 600, library.length / 4, library.length / 2}) {
      assertThatThrownBy(() -> ElfFile.parse(Arrays.copyOf(library, length)))
          .as("%d bytes", length)
          .isInstanceOf(ElfFile.FormatException.class);
    }
    byte[] foreign = library.clone();
    foreign[18] = (byte) 183; // AArch64
    assertThatThrownBy(() -> ElfFile.parse(foreign)).hasMessageContaining("not x86-64");
  }

  private static List<String> names(ElfFile file) {
    return file.needed().stream().map(ElfFile.Text::value).toList();
  }

  private static List<VersionNeed> needs(ElfFile file, String library) {
    return file.versionsNeeded().stream().filter(v -> v.library().value().equals(library)).toList();
  }
}
