package convtrain.backend;

import java.util.List;
import java.util.ServiceLoader;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.params.AfterParameterizedClassInvocation;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What every backend must do, tested on each one that ServiceLoader finds; one that cannot start
 * here is reported as skipped, by name. Subclasses hold the tests.
 */
@ParameterizedClass(name = "{0}")
@MethodSource("convtrain.backend.BackendContract#providers")
abstract class BackendContract {
  /** More than one, so that passes are cut into parts on a machine with one core too. */
  static final int THREADS = 2;

  /** Leaves out all backends but the named one. */
  private static final String ONLY = System.getProperty("convtrain.test.backend");

  private static Backend opened;

  @Parameter Backend.Provider provider;

  static List<Named<Backend.Provider>> providers() {
    return ServiceLoader.load(Backend.Provider.class).stream()
        .map(ServiceLoader.Provider::get)
        .filter(BackendContract::isTested)
        .map(each -> Named.of(each.name(), each))
        .toList();
  }

  static boolean isTested(Backend.Provider provider) {
    return ONLY == null || ONLY.equals(provider.name());
  }

  @BeforeParameterizedClassInvocation
  static void open(Backend.Provider provider) {
    try {
      opened = provider.open(Backend.Options.withThreads(THREADS));
    } catch (RuntimeException | LinkageError e) {
      Assumptions.abort("backend " + provider.name() + " cannot start here: " + e);
    }
  }

  @AfterParameterizedClassInvocation
  static void close() {
    if (opened != null) {
      opened.close();
      opened = null;
    }
  }

  /** The backend under test. */
  static Backend backend() {
    return opened;
  }
}
