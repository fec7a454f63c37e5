package convtrain.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import convtrain.graph.DataPlacement;
import convtrain.graph.LayerSpec;
import convtrain.graph.LossSpec;
import convtrain.graph.MixDraw;
import convtrain.graph.MixSpec;
import convtrain.graph.ModelGraph;
import convtrain.graph.ModelSpec;
import convtrain.graph.OptimizerSpec;
import convtrain.graph.Shape;
import convtrain.graph.UpdateSpec;
import convtrain.plan.Plan;
import convtrain.plan.PlanCompiler;
import convtrain.plan.PlanOptions;
import convtrain.plan.RunState;
import convtrain.testing.ArraySamples;
import convtrain.testing.Clocks;
import convtrain.testing.DeviceFloats;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Mixing of the samples of a batch: the documented formulas, to the bit on every backend. */
class MixContractTest extends BackendContract {
  private static final int CLASSES = 4;
  private static final long SEED = 21;

  private final List<AutoCloseable> owned = new ArrayList<>();

  static List<MixSpec> mixes() {
    return List.of(
        new MixSpec.Mixup(0.2),
        new MixSpec.Mixup(1.0),
        new MixSpec.Cutmix(1.0),
        new MixSpec.Cutmix(0.4));
  }

  @AfterEach
  void release() throws Exception {
    for (int i = owned.size() - 1; i >= 0; i--) {
      owned.get(i).close();
    }
  }

  private <T extends AutoCloseable> T own(T resource) {
    owned.add(resource);
    return resource;
  }

  private DeviceBuffer floats(float[] values) {
    DeviceBuffer buffer = own(backend().allocate((long) values.length * Float.BYTES));
    DeviceFloats.write(values, buffer);
    return buffer;
  }

  private DeviceBuffer ints(int[] values) {
    ByteBuffer bytes = DeviceFloats.host(values.length * Integer.BYTES);
    bytes.asIntBuffer().put(values);
    DeviceBuffer buffer = own(backend().allocate(bytes.capacity()));
    buffer.write(0, bytes);
    return buffer;
  }

  /** The share of sample n that stays at a place [h, w]. */
  private static float staying(MixSpec spec, MixDraw draw, int h, int w) {
    if (spec instanceof MixSpec.Mixup) {
      return draw.lambda();
    }
    boolean cut = h >= draw.top() && h < draw.bottom() && w >= draw.left() && w < draw.right();
    return cut ? 0 : 1;
  }

  private static float mixed(float own, float other, float staying) {
    return staying == 1 ? own : staying == 0 ? other : staying * own + (1 - staying) * other;
  }

  private static float target(int k, int own, int other, float lambda) {
    return (k == own ? lambda : 0) + (k == other ? 1 - lambda : 0);
  }

  @ParameterizedTest
  @MethodSource("mixes")
  void samplesAndTargetsAreMixedWithThoseBefore(MixSpec spec) {
    for (Shape image : List.of(Shape.image(1, 8, 12), Shape.image(3, 5, 7))) {
      for (int n : new int[] {1, 5}) {
        check(spec, image, n);
      }
    }
  }

  private void check(MixSpec spec, Shape image, int n) {
    Random random = new Random(n);
    float[] staged = new float[n * image.elements()];
    for (int i = 0; i < staged.length; i++) {
      staged[i] = (float) random.nextGaussian();
    }
    int[] labels = random.ints(n, 0, CLASSES).toArray();
    DeviceBuffer clock = own(backend().allocate(StepClock.BYTES));
    DeviceBuffer x = floats(new float[staged.length]);
    DeviceBuffer targets = floats(new float[n * CLASSES]);
    RandomState state = new RandomState(SEED, clock);
    Op op =
        own(
            backend()
                .ops(n, true)
                .mix(
                    spec,
                    image,
                    CLASSES,
                    state,
                    new MixBuffers(floats(staged), ints(labels), x, targets)));
    MixDraw draw = new MixDraw(spec, image, SEED);
    for (long batch : new long[] {0, 1, 7, (1L << 32) + 3}) {
      Clocks.set(clock, batch);
      draw.draw(batch);
      op.forward();
      backend().synchronize();
      float[] foundX = DeviceFloats.read(x);
      for (int i = 0; i < staged.length; i++) {
        int sample = i / image.elements();
        int place = i % image.elements() / image.channels();
        int other = (sample + n - 1) % n * image.elements() + i % image.elements();
        float staying = staying(spec, draw, place / image.width(), place % image.width());
        assertThat(foundX[i]).isEqualTo(mixed(staged[i], staged[other], staying));
      }
      float[] foundTargets = DeviceFloats.read(targets);
      for (int i = 0; i < foundTargets.length; i++) {
        int own = labels[i / CLASSES];
        int other = labels[(i / CLASSES + n - 1) % n];
        assertThat(foundTargets[i]).isEqualTo(target(i % CLASSES, own, other, draw.lambda()));
      }
    }
  }

  /** The loss of an untrained network, which scores the mixed samples against mixed targets. */
  @ParameterizedTest
  @MethodSource("mixes")
  void trainingStepsSeeMixedSamplesAndTargets(MixSpec spec) {
    int n = 6;
    Shape image = Shape.image(1, 4, 5);
    ModelGraph graph =
        ModelGraph.of(
            new ModelSpec(
                image,
                List.of(
                    new LayerSpec.Flatten(null, null),
                    new LayerSpec.Linear("last", null, CLASSES, false, null))));
    byte[] bytes = new byte[n * image.elements()];
    new Random(9).nextBytes(bytes);
    int[] labels = {0, 3, 1, 1, 2, 0};
    UpdateSpec still = UpdateSpec.of(new OptimizerSpec.Sgd(0.0, null, null, null, null, null));
    RunState state = own(new RunState(backend(), graph, n, still, 3));
    state.setSchedule(new float[6]);
    state.initialize(SEED);
    Feed feed = own(backend().feed(image.elements(), n, DataPlacement.AUTO));
    Normalization normalization = new Normalization(image, new float[] {0.5f}, new float[] {0.25f});
    Plan plan =
        own(
            PlanCompiler.compile(
                backend(),
                graph,
                state,
                new PlanOptions(
                    n, LossSpec.crossEntropy(), true, normalization, feed, SEED, null, spec)));
    MixDraw draw = new MixDraw(spec, image, SEED);
    for (int batch = 0; batch < 3; batch++) {
      state.clearMetrics();
      feed.start(new ArraySamples(bytes, labels), IntStream.range(0, n).toArray(), n);
      assertThat(feed.next()).isEqualTo(n);
      plan.step();
      backend().synchronize();
      draw.draw(batch);
      double expected = loss(spec, draw, bytes, labels, image, state.fetch("last.weight"));
      assertThat(state.metrics().loss()).isCloseTo(expected, within(1e-5));
    }
  }

  private static double loss(
      MixSpec spec, MixDraw draw, byte[] bytes, int[] labels, Shape image, float[] weight) {
    int n = labels.length;
    int size = image.elements();
    double loss = 0;
    for (int sample = 0; sample < n; sample++) {
      int other = (sample + n - 1) % n;
      double[] z = new double[CLASSES];
      double sum = 0;
      for (int k = 0; k < CLASSES; k++) {
        for (int i = 0; i < size; i++) {
          float staying = staying(spec, draw, i / image.width(), i % image.width());
          double own = ((bytes[sample * size + i] & 0xFF) / 255.0 - 0.5) / 0.25;
          double others = ((bytes[other * size + i] & 0xFF) / 255.0 - 0.5) / 0.25;
          z[k] += (staying * own + (1 - staying) * others) * weight[k * size + i];
        }
        sum += Math.exp(z[k]);
      }
      for (int k = 0; k < CLASSES; k++) {
        double t = target(k, labels[sample], labels[other], draw.lambda());
        loss -= t * (z[k] - Math.log(sum)) / n;
      }
    }
    return loss;
  }
}
