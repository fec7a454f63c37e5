package convtrain.backend;

import convtrain.graph.Precision;
import convtrain.testing.CpuFlags;
import java.util.ArrayList;
import java.util.List;
import java.util.ServiceLoader;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.params.AfterParameterizedClassInvocation;
import org.junit.jupiter.params.BeforeParameterizedClassInvocation;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What every backend must do with 16-bit activations, tested on each one and in each such precision
 * that it offers here; others are reported as skipped, by name. Subclasses hold the tests.
 */
@ParameterizedClass(name = "{0}")
@MethodSource("convtrain.backend.ReducedContract#ways")
abstract class ReducedContract {
  /** A backend in a precision. */
  record Way(Backend.Provider provider, Precision precision) {
    Backend open(int threads) {
      return provider.open(new Backend.Options(threads, precision, true, true, false));
    }

    @Override
    public String toString() {
      return provider.name() + " " + precision.word();
    }
  }

  private static Backend opened;

  @Parameter Way way;

  static List<Way> ways() {
    List<Way> ways = new ArrayList<>();
    for (Backend.Provider provider : ServiceLoader.load(Backend.Provider.class)) {
      if (BackendContract.isTested(provider)) {
        ways.add(new Way(provider, Precision.FP16));
        ways.add(new Way(provider, Precision.BF16));
      }
    }
    return ways;
  }

  @BeforeParameterizedClassInvocation
  static void open(Way way) {
    boolean must = way.toString().equals("cpu bf16") && CpuFlags.has("avx512_bf16");
    try {
      opened = way.open(BackendContract.THREADS);
    } catch (RuntimeException | LinkageError e) {
      if (must) {
        throw e;
      }
      Assumptions.abort(
          way.provider().name().equals("cpu")
              ? "this processor is not made for " + way.precision().word()
              : "backend " + way + " cannot start here: " + e);
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

  final Precision precision() {
    return way.precision();
  }
}
