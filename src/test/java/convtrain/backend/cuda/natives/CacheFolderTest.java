package convtrain.backend.cuda.natives;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.testing.ChildJvm;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CacheFolderTest {
  private static final int BYTES = 1000;

  @TempDir private Path temp;

  /** Lengthens a file byte by byte, each in a change of its own. */
  static final class Writer {
    private Writer() {}

    public static void main(String[] folder) {
      CacheFolder cache = new CacheFolder(Path.of(folder[0]));
      for (int i = 0; i < BYTES; i++) {
        assertThat(cache.update("tuning/file", old -> Arrays.copyOf(old, old.length + 1))).isTrue();
      }
    }
  }

  @Test
  void noChangeIsLostBetweenThreadsAndProcesses() throws Exception {
    String[] cache = {temp.resolve("cache").toString()};
    Path file = temp.resolve("cache/tuning/file");
    CompletableFuture<ChildJvm.Result> process = CompletableFuture.supplyAsync(() -> child(cache));
    while (!Files.exists(file) && !process.isDone()) {
      Thread.sleep(1);
    }
    CompletableFuture<Void> thread = CompletableFuture.runAsync(() -> Writer.main(cache));
    Writer.main(cache);
    thread.join();
    assertThat(process.join().status()).as(process.join().err()).isZero();
    assertThat(file).hasSize(3 * BYTES);
  }

  private ChildJvm.Result child(String... cache) {
    try {
      return ChildJvm.run(temp, Map.of(), Writer.class.getName(), cache);
    } catch (Exception e) {
      throw new IllegalStateException(e);
    }
  }
}
