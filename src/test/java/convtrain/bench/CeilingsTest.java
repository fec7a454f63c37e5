package convtrain.bench;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.backend.Backend;
import convtrain.backend.DeviceMemoryException;
import convtrain.softcuda.SoftCuda;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.ServiceLoader;
import java.util.concurrent.locks.LockSupport;
import java.util.function.IntFunction;
import org.junit.jupiter.api.Test;

/** What a device can do at most. */
class CeilingsTest {
  private static final long COPIED = 4 << 20;

  /** What takes so long also takes some of the host's time here. */
  private static final double LONG = 0.05;

  /** A yardstick that takes the given times, and then the last one for ever. */
  private record Given(Iterator<Double> times, double last) implements Backend.Yardstick {
    static Given of(double... seconds) {
      List<Double> times = new ArrayList<>();
      for (double each : seconds) {
        times.add(each);
      }
      return new Given(times.iterator(), seconds[seconds.length - 1]);
    }

    @Override
    public double seconds() {
      double seconds = times.hasNext() ? times.next() : last;
      LockSupport.parkNanos(seconds >= LONG ? 60_000_000 : 0);
      return seconds;
    }

    @Override
    public void close() {}
  }

  private static Backend backend(
      List<Integer> orders, IntFunction<Backend.Yardstick> product, Backend.Yardstick copy) {
    return (Backend)
        Proxy.newProxyInstance(
            Backend.class.getClassLoader(),
            new Class<?>[] {Backend.class},
            (self, method, arguments) -> {
              if (method.getName().equals("copy")) {
                return copy;
              }
              int order = (int) arguments[0];
              orders.add(order);
              return product.apply(order);
            });
  }

  @Test
  void theFastestProductCountsAndTheFirstRunOfEachDoesNot() {
    List<Integer> orders = new ArrayList<>();
    IntFunction<Backend.Yardstick> product =
        order ->
            switch (order) {
              case 128 -> Given.of(1e-9, 0.01);
              case 256 -> Given.of(1e-9, 0.03, 0.002, 0.04);
              default -> Given.of(1e-9, 0.5);
            };
    Backend backend = backend(orders, product, Given.of(1e-9, 0.3, 0.25, 0.5));
    Ceilings ceilings = Ceilings.measure(backend, COPIED);
    assertThat(ceilings.flopsPerSecond()).isEqualTo(2.0 * 256 * 256 * 256 / 0.002);
    assertThat(ceilings.bytesPerSecond()).isEqualTo(2 * COPIED / 0.25);
    assertThat(orders).as("until one takes long").containsExactly(128, 256, 512);
  }

  @Test
  void aProductThatDoesNotFitEndsTheSearch() {
    List<Integer> orders = new ArrayList<>();
    IntFunction<Backend.Yardstick> product =
        order -> {
          if (order == 512) {
            throw new DeviceMemoryException(3, 2);
          }
          return Given.of(0.01);
        };
    Ceilings ceilings = Ceilings.measure(backend(orders, product, Given.of(1)), COPIED);
    assertThat(ceilings.flopsPerSecond()).isEqualTo(2.0 * 256 * 256 * 256 / 0.01);
    assertThat(orders).containsExactly(128, 256, 512);
  }

  @Test
  void theProcessorHasPlausibleOnes() {
    try (Backend backend = open("cpu")) {
      assertPlausible(Ceilings.measure(backend, COPIED));
    }
  }

  @Test
  void theGpuMultipliesByCublasAndCopiesByTheDriver() {
    SoftCuda.assumeAvailable();
    SoftCuda.control();
    try (Backend backend = open("cuda")) {
      assertPlausible(Ceilings.measure(backend, COPIED));
      assertThat(backend.peakBytes()).isGreaterThan(2 * COPIED);
    }
    assertThat(SoftCuda.calls("cublasGemmEx")).isGreaterThanOrEqualTo(4);
    assertThat(SoftCuda.calls("cuMemcpyDtoDAsync_v2")).isGreaterThanOrEqualTo(4);
    assertThat(SoftCuda.violations()).isEmpty();
    assertThat(SoftCuda.leaks()).isEmpty();
  }

  /** Slower than any processor of this century, faster than any device so far. */
  private static void assertPlausible(Ceilings ceilings) {
    assertThat(ceilings.flopsPerSecond()).isBetween(1e6, 1e17);
    assertThat(ceilings.bytesPerSecond()).isBetween(1e6, 1e15);
  }

  private static Backend open(String name) {
    return ServiceLoader.load(Backend.Provider.class).stream()
        .map(ServiceLoader.Provider::get)
        .filter(provider -> provider.name().equals(name))
        .findFirst()
        .orElseThrow()
        .open(Backend.Options.withThreads(2));
  }
}
