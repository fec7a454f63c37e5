package convtrain.backend.cuda.natives;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** In a file system of its own, where every library is the same small one. */
class LibrarySearchTest {
  private static final String CUDNN = "libcudnn.so.9";
  private static final byte[] LIBRARY = JCudaNatives.original(Component.NVRTC);

  @TempDir Path temp;
  private Path root;
  private CacheFolder cache;

  @BeforeEach
  void makeFolders() throws IOException {
    root = Files.createDirectories(temp.resolve("root"));
    cache = new CacheFolder(temp.resolve("cache"));
  }

  @Test
  void placesAreLookedAtInTheirOrder() throws IOException {
    Path python = library(temp.resolve("python/nvidia/cudnn/lib"), CUDNN);
    assertFound(python, "Python environment");
    Path arch = library(root.resolve("opt/cuda/lib64"), CUDNN);
    assertFound(arch, "other folders");
    Path container = library(root.resolve("usr/local/nvidia/lib64"), CUDNN);
    assertFound(container, "other folders");
    Path toolkit = library(root.resolve("usr/local/cuda-12.9/targets/x86_64-linux/lib"), CUDNN);
    assertFound(toolkit, "CUDA toolkit");
    Path newer = library(root.resolve("usr/local/cuda-12.10/lib64"), CUDNN);
    assertFound(newer, "CUDA toolkit");
    Path chosen = library(root.resolve("usr/local/cuda/lib64"), CUDNN);
    assertFound(chosen, "CUDA toolkit");
    Path redist = library(cache.path("cuda-redist/12.6-9.5"), CUDNN);
    assertFound(redist, "--cuda-redist");
    Path newerRedist = library(cache.path("cuda-redist/12.10-9.5"), CUDNN);
    assertFound(newerRedist, "--cuda-redist");
    Path system = library(root.resolve("usr/lib/x86_64-linux-gnu"), CUDNN);
    assertFound(system, "system");
    Path loader = library(temp.resolve("ld"), CUDNN);
    assertFound(loader, "LD_LIBRARY_PATH");
  }

  @Test
  void homeOfTheToolkitComesBeforeOthers() throws IOException {
    library(root.resolve("usr/local/cuda/lib64"), CUDNN);
    Path own = library(temp.resolve("own/lib64"), CUDNN);
    LibrarySearch search = search(Map.of("CUDA_HOME", temp.resolve("own").toString()));
    assertThat(search.find(CUDNN).orElseThrow().file()).isEqualTo(own);
  }

  @Test
  void theOverrideHidesAllPlacesButNotTheDriver() throws IOException {
    library(root.resolve("usr/lib/x86_64-linux-gnu"), CUDNN);
    Path driver = library(root.resolve("usr/lib/wsl/lib"), "libcuda.so.1");
    Path first = library(temp.resolve("first"), "libnvrtc.so.12");
    library(temp.resolve("second"), "libnvrtc.so.12");
    LibrarySearch search =
        search(
            Map.of("CONVTRAIN_CUDA_PATH", temp.resolve("first") + "::" + temp.resolve("second")));
    assertThat(search.find(CUDNN)).isEmpty();
    assertThat(search.find("libnvrtc.so.12").orElseThrow().file()).isEqualTo(first);
    assertThat(search.findDriver("libcuda.so.1").orElseThrow().file()).isEqualTo(driver);
    assertThat(search.searched())
        .containsExactly(
            "CONVTRAIN_CUDA_PATH (" + temp.resolve("first") + ", " + temp.resolve("second") + ")");

    Path own = library(temp.resolve("second"), "libcuda.so.1");
    assertThat(search.findDriver("libcuda.so.1").orElseThrow().file()).isEqualTo(own);
  }

  @Test
  void filesThatCannotBeLoadedArePassedOverAndTold() throws IOException {
    Path script = Files.createDirectories(root.resolve("usr/lib/x86_64-linux-gnu"));
    Files.writeString(script.resolve(CUDNN), "a linker script of no use to a process".repeat(3));
    Path good = library(root.resolve("usr/local/cuda/lib64"), CUDNN);
    LibrarySearch search = search(Map.of());
    assertThat(search.find(CUDNN).orElseThrow().file()).isEqualTo(good);
    assertThat(search.find(CUDNN)).isPresent();
    assertThat(search.rejected())
        .containsExactly(script.resolve(CUDNN) + ": not a shared library (no ELF header)");
  }

  @Test
  void linksAreFollowedAndDeadOnesPassedOver() throws IOException {
    Path folder = Files.createDirectories(root.resolve("usr/local/cuda/lib64"));
    Files.createSymbolicLink(folder.resolve(CUDNN), Path.of("libcudnn.so.9.5.1"));
    assertThat(search(Map.of()).find(CUDNN)).isEmpty();
    library(folder, "libcudnn.so.9.5.1");
    assertThat(search(Map.of()).find(CUDNN)).isPresent();
  }

  @Test
  void pythonIsAskedOnlyWhenAllElseWasInVain() throws IOException {
    List<String> asked = new ArrayList<>();
    library(root.resolve("lib64"), CUDNN);
    LibrarySearch search =
        new LibrarySearch(
            Map.of(),
            root,
            cache,
            () -> {
              asked.add("python");
              return List.of();
            });
    assertThat(search.find(CUDNN)).isPresent();
    assertThat(search.findDriver("libcuda.so.1")).isEmpty();
    assertThat(search.searchedForDriver()).doesNotContain("Python environment");
    assertThat(asked).isEmpty();
    assertThat(search.find("libnvrtc.so.12")).isEmpty();
    assertThat(search.find("libcublas.so.12")).isEmpty();
    assertThat(asked).hasSize(1);
  }

  @Test
  void theLoadersListOfThisMachineLeadsToItsLibraries() {
    Path list = Path.of("/etc/ld.so.cache");
    assertThat(LoaderCache.read(list).get("libc.so.6")).exists();
    assertThat(LoaderCache.read(list).values()).allMatch(Path::isAbsolute);
  }

  @Test
  void theLoadersListIsReadBehindOneInTheOldFormAndNotWhenDamaged() throws IOException {
    byte[] list = Files.readAllBytes(Path.of("/etc/ld.so.cache"));
    Path etc = Files.createDirectories(root.resolve("etc"));
    Path file = etc.resolve("ld.so.cache");
    byte[] old = "ld.so-1.7.0\0\2\0\0\0old entries".getBytes(StandardCharsets.US_ASCII);
    byte[] both = Arrays.copyOf(old, old.length + list.length);
    System.arraycopy(list, 0, both, old.length, list.length);
    Files.write(file, both);
    LibrarySearch.Found libc = search(Map.of()).find("libc.so.6").orElseThrow();
    assertThat(libc.by()).isEqualTo("ldconfig");
    assertThat(libc.file())
        .isEqualTo(LoaderCache.read(Path.of("/etc/ld.so.cache")).get("libc.so.6"));

    Files.write(file, Arrays.copyOf(list, 60));
    assertThat(LoaderCache.read(file)).isEmpty();
    Files.write(file, old);
    assertThat(LoaderCache.read(file)).isEmpty();
    assertThat(LoaderCache.read(etc.resolve("none"))).isEmpty();
  }

  private void assertFound(Path file, String by) {
    LibrarySearch.Found found =
        search(Map.of("LD_LIBRARY_PATH", temp.resolve("ld").toString())).find(CUDNN).orElseThrow();
    assertThat(found).isEqualTo(new LibrarySearch.Found(CUDNN, file, by));
  }

  private LibrarySearch search(Map<String, String> environment) {
    Supplier<List<Path>> python = () -> List.of(temp.resolve("python/nvidia/cudnn/lib"));
    return new LibrarySearch(environment, root, cache, python);
  }

  private static Path library(Path folder, String name) throws IOException {
    return Files.write(Files.createDirectories(folder).resolve(name), LIBRARY);
  }
}
