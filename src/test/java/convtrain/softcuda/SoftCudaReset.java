package convtrain.softcuda;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;

/**
 * After every test: the software device is again as it is by default. JUnit finds this by itself
 * ({@code META-INF/services}), so that no test meets a fault that another one asked for.
 */
public final class SoftCudaReset implements AfterEachCallback {
  @Override
  public void afterEach(ExtensionContext context) throws IOException {
    String control = System.getenv("SOFTCUDA_CONTROL");
    if (control != null) {
      Files.deleteIfExists(Path.of(control));
    }
  }
}
