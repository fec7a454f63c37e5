package convtrain.backend.cuda.natives;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import convtrain.backend.cuda.natives.LibrarySearch.Found;
import convtrain.testing.FakeCuda;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What is loaded with cuDNN, whose parts one cuDNN must have from no other. */
class LibraryLoaderTest {
  private static final String CUDNN = "libcudnn.so.9";
  private static final String OPS = "libcudnn_ops.so.9";
  private static final String OF_SOME_RELEASES = "libcudnn_engines_tensor_ir.so.9";

  @TempDir Path temp;
  private Path own;
  private Path other;

  @BeforeEach
  void makeParts() throws Exception {
    assumeTrue(FakeCuda.canBeMade(), "gcc");
    own = temp.resolve("own");
    other = temp.resolve("other");
    library(own, OPS);
    library(own, OF_SOME_RELEASES);
  }

  private static void library(Path folder, String name, String... options) throws Exception {
    FakeCuda.make(folder, name, "int part;", options);
  }

  private List<Path> loaded() throws Exception {
    LibrarySearch search =
        new LibrarySearch(
            Map.of("CONVTRAIN_CUDA_PATH", own.toString(), "LD_LIBRARY_PATH", other.toString()),
            temp.resolve("root"),
            new CacheFolder(temp.resolve("cache")),
            List::of);
    Found cudnn = search.find(CUDNN).orElseThrow();
    return new LibraryLoader(search).parts(cudnn).stream().map(Found::file).toList();
  }

  @Test
  void cudnnThatLeadsToItsPartsOpensThemItself() throws Exception {
    library(own, CUDNN, "-Wl,-rpath,$ORIGIN");
    assertThat(loaded()).containsExactly(own.resolve(CUDNN));
  }

  @Test
  void partsOfAnotherCudnnOnTheLoadersPathAreForestalled() throws Exception {
    library(own, CUDNN, "-Wl,-rpath,$ORIGIN");
    library(other, OF_SOME_RELEASES);
    assertThat(loaded()).containsExactly(own.resolve(OF_SOME_RELEASES), own.resolve(CUDNN));
  }

  @Test
  void withoutAPathToItsPartsAllThatStandBesideItAreLoaded() throws Exception {
    library(own, CUDNN);
    assertThat(loaded())
        .containsExactly(own.resolve(OPS), own.resolve(OF_SOME_RELEASES), own.resolve(CUDNN));
  }
}
