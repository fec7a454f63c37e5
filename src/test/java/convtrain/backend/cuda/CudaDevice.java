package convtrain.backend.cuda;

import convtrain.backend.Backend;
import convtrain.graph.Precision;
import java.util.ServiceLoader;
import org.junit.jupiter.api.Assumptions;

/** The CUDA backend for tests of what only it does; without a device they are skipped. */
final class CudaDevice {
  private CudaDevice() {}

  static Backend open(Precision precision) {
    Backend.Provider cuda =
        ServiceLoader.load(Backend.Provider.class).stream()
            .map(ServiceLoader.Provider::get)
            .filter(provider -> provider.name().equals("cuda"))
            .findFirst()
            .orElseThrow();
    Backend.Availability found = cuda.probe();
    Assumptions.assumeTrue(found.usable(), () -> "backend cuda cannot start: " + found.why());
    return cuda.open(new Backend.Options(0, precision, true, true, false));
  }
}
