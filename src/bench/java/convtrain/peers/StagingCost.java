package convtrain.peers;

import convtrain.backend.Augmentation;
import convtrain.backend.Backend;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.Feed;
import convtrain.backend.Normalization;
import convtrain.backend.Op;
import convtrain.graph.AugmentSpec;
import convtrain.graph.AugmentSpec.ElasticTransform;
import convtrain.graph.AugmentSpec.RandomAffine;
import convtrain.graph.AugmentSpec.RandomErasing;
import convtrain.graph.DataPlacement;
import convtrain.graph.Philox;
import convtrain.graph.Shape;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.ServiceLoader;

/**
 * What staging an epoch of MNIST costs one core of the CPU, plain and varied: processor time, so
 * that others' work on the machine disturbs it little; the best of some epochs.
 *
 * <pre>
 * mvn -q -B -Dquick -Pbench test-compile
 * java -XX:+UseSerialGC -cp target/quick-test-classes:target/quick-classes:$(cat target/bench.classpath) \
 *     convtrain.peers.StagingCost data/mnist
 * </pre>
 */
public final class StagingCost {
  private static final int BATCH = 128;
  private static final int EPOCHS = 8;

  private StagingCost() {}

  /** Takes the folder of MNIST's raw IDX files. */
  public static void main(String[] args) throws IOException {
    RandomAffine affine =
        new RandomAffine(List.of(7.0), List.of(0.1, 0.1), List.of(0.9, 1.1), List.of(5.0));
    RandomErasing erasing = new RandomErasing(0.25, null, null, null);
    ElasticTransform elastic = new ElasticTransform(34.0, 5.0);
    Map<String, AugmentSpec> recipes = new LinkedHashMap<>();
    recipes.put("plain", null);
    recipes.put("affine", new AugmentSpec(affine, null, null, null));
    recipes.put("affine, erasing", new AugmentSpec(affine, null, null, erasing));
    recipes.put("elastic", new AugmentSpec(null, elastic, null, null));
    recipes.put("affine, elastic, erasing", new AugmentSpec(affine, elastic, null, erasing));
    Mnist mnist = Mnist.read(Path.of(args[0]));
    try (Backend backend = cpu().open(Backend.Options.withThreads(1))) {
      recipes.forEach((name, spec) -> measure(backend, mnist, name, spec));
    }
  }

  private static Backend.Provider cpu() {
    return ServiceLoader.load(Backend.Provider.class).stream()
        .map(ServiceLoader.Provider::get)
        .filter(provider -> provider.name().equals("cpu"))
        .findFirst()
        .orElseThrow();
  }

  private static void measure(Backend backend, Mnist mnist, String name, AugmentSpec spec) {
    Normalization normalization =
        new Normalization(
            Shape.image(1, 28, 28),
            new float[] {(float) Mnist.MEAN},
            new float[] {(float) Mnist.STD});
    Augmentation augmentation = spec == null ? null : new Augmentation(spec, 1);
    int[] order = new int[mnist.count()];
    Arrays.setAll(order, i -> i);
    new Philox(1, Philox.Purpose.SHUFFLE, 1).shuffle(order);
    int count = order.length / BATCH * BATCH;
    try (Feed feed = backend.feed(Mnist.PIXELS, BATCH, DataPlacement.AUTO);
        DeviceBuffer x = backend.allocate((long) BATCH * Mnist.PIXELS * Float.BYTES);
        DeviceBuffer labels = backend.allocate((long) BATCH * Integer.BYTES);
        Op stage = backend.ops(BATCH, true).stage(feed, normalization, augmentation, x, labels)) {
      double best = Double.MAX_VALUE;
      for (int epoch = 1; epoch <= EPOCHS; epoch++) {
        feed.start(mnist, order, count, epoch);
        long start = cpuNanos();
        while (feed.next() > 0) {
          stage.forward();
        }
        best = Math.min(best, (cpuNanos() - start) / 1e9);
      }
      System.out.printf(
          "%-26s %.3f s per epoch, %.2f us per image%n", name, best, best / count * 1e6);
    }
  }

  private static long cpuNanos() {
    return ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
  }
}
