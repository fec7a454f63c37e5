package convtrain.backend.cuda.op;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.backend.ParameterLayout;
import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.backend.cuda.device.CudaException;
import convtrain.graph.LayerSpec;
import convtrain.graph.ModelGraph;
import convtrain.graph.ModelSpec;
import convtrain.graph.Node;
import convtrain.graph.Padding;
import convtrain.graph.Pair;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import convtrain.softcuda.SoftCuda;
import convtrain.testing.DeviceFloats;
import convtrain.testing.ReferenceNet;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Random;
import java.util.function.Function;
import org.junit.jupiter.api.TestReporter;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Whichever way of a convolution the tuner may pick, it computes the same: each against the
 * reference in doubles, in each direction and precision.
 */
class ConvWaysTest extends OpTest {
  private static final int N = 3;

  private record Layer(String name, Shape in, LayerSpec.Conv2d spec, List<String> others) {}

  private static final List<Layer> LAYERS =
      List.of(
          layer("3x3", Shape.image(4, 6, 5), conv(8, 3, 1, 1, 1, 1)),
          layer("strided", Shape.image(3, 7, 8), conv(5, 3, 2, 1, 1, 1)),
          layer("dilated", Shape.image(3, 8, 7), conv(4, 3, 1, 2, 2, 1)),
          layer("grouped", Shape.image(4, 5, 6), conv(6, 3, 1, 1, 1, 2)),
          layer(
              "depthwise",
              Shape.image(8, 9, 7),
              conv(8, 3, 1, 1, 1, 8),
              "convtrain:conv_depthwise"),
          layer(
              "depthwise, strided and dilated",
              Shape.image(12, 11, 12),
              conv(12, 5, 2, 3, 2, 12),
              "convtrain:conv_depthwise"),
          layer(
              "depthwise, many odd channels",
              Shape.image(301, 4, 5),
              conv(301, 3, 2, 0, 1, 301),
              "convtrain:conv_depthwise"),
          layer("grouped twofold", Shape.image(3, 5, 4), conv(6, 3, 1, 1, 1, 3)),
          layer("one tap", Shape.image(8, 4, 5), conv(16, 1, 1, 0, 1, 1), "cublas"),
          layer("one tap, odd", Shape.image(3, 4, 3), conv(5, 1, 1, 0, 1, 1), "cublas"),
          layer(
              "one channel",
              Shape.image(1, 20, 19),
              conv(16, 3, 1, 1, 1, 1),
              "convtrain:conv_first"),
          layer(
              "one channel, strided and dilated",
              Shape.image(1, 13, 14),
              conv(12, 5, 2, 3, 2, 1),
              "convtrain:conv_first"),
          layer(
              "one channel, seven outputs",
              Shape.image(1, 9, 8),
              conv(7, 7, 1, 3, 1, 1),
              "convtrain:conv_first"));

  private static Layer layer(String name, Shape in, LayerSpec.Conv2d spec, String... others) {
    return new Layer(name, in, spec, List.of(others));
  }

  private static LayerSpec.Conv2d conv(
      int out, int kernel, int stride, int padding, int dilation, int groups) {
    return new LayerSpec.Conv2d(
        "conv",
        null,
        out,
        Pair.of(kernel),
        Pair.of(stride),
        Padding.of(padding),
        Pair.of(dilation),
        groups,
        true,
        null);
  }

  static List<Arguments> layersAndPrecisions() {
    List<Arguments> all = new ArrayList<>();
    for (Layer layer : LAYERS) {
      for (Precision precision : Precision.values()) {
        all.add(Arguments.of(layer.name, precision));
      }
    }
    return all;
  }

  /** A layer with its tensors on the device and what the reference makes of them. */
  private final class Bench {
    final Precision precision;
    final Shape in;
    final Shape out;
    final ConvWays ways;
    final ParameterLayout layout;
    final CudaBuffer x;
    final CudaBuffer dy;
    final CudaBuffer weight;
    final CudaBuffer factors;
    final CudaBuffer bias;
    final double[] y;
    final ReferenceNet.Gradients gradients;

    Bench(Layer layer, Precision precision) {
      this.precision = precision;
      ModelGraph graph = ModelGraph.of(new ModelSpec(layer.in, List.of(layer.spec)));
      Node node = graph.nodes().get(0);
      in = layer.in;
      out = node.out();
      ways = own(new ConvWays(cuda(), ConvGeometry.of(precision, N, layer.spec, node), true, true));
      layout = own(CudaLayouts.of(node, node.parameters().get(0)));
      Random random = new Random(5);
      double[] w = values(node.parameters().get(0).elements(), random);
      double[] b = values(out.channels(), random);
      double[] xs = values(N * in.elements(), random);
      double[] dys = values(N * out.elements(), random);
      x = images(precision, xs, in);
      dy = images(precision, dys, out);
      weight = own(cuda().allocate(layout.bytes()));
      layout.write(DeviceFloats.floats(w), weight);
      factors = own(cuda().allocate((long) w.length * precision.elementBytes()));
      Cast.fromFloat(cuda(), precision, weight, factors, w.length).enqueue();
      bias = floats(b);
      ReferenceNet reference =
          new ReferenceNet(graph, new HashMap<>(Map.of("conv.weight", w, "conv.bias", b)));
      y = reference.forward(xs, true);
      gradients = reference.backward(dys);
    }

    CudaBuffer empty(Shape sample) {
      return spoilt((long) N * sample.elements() * precision.elementBytes());
    }

    double[] forward(ConvWay way) {
      CudaBuffer found = empty(out);
      run(
          way,
          new ConvMemory(
              x, found, null, null, weight, factors, null, bias, spoilt(way.scratchBytes())));
      return fetch(precision, found, out);
    }

    double[] backwardData(ConvWay way) {
      CudaBuffer found = empty(in);
      run(
          way,
          new ConvMemory(
              null, null, found, dy, weight, factors, null, null, spoilt(way.scratchBytes())));
      return fetch(precision, found, in);
    }

    double[] backwardFilter(ConvWay way) {
      CudaBuffer found = spoilt(layout.bytes());
      run(
          way,
          new ConvMemory(
              x, null, null, dy, weight, factors, found, null, spoilt(way.scratchBytes())));
      float[] values = new float[(int) (layout.bytes() / Float.BYTES)];
      layout.read(found, values);
      return DeviceFloats.doubles(values);
    }

    /** Twice: what a way leaves behind must not disturb its next run. */
    private void run(ConvWay way, ConvMemory memory) {
      Runnable bound = way.bind().apply(memory);
      bound.run();
      bound.run();
      cuda().synchronize();
    }
  }

  /**
   * What a direction computes, and by which of cuDNN's algorithms it is Winograd of large tiles.
   */
  private enum Result {
    Y(7),
    DX(5),
    DW(5);

    private final int largeWinograd;

    Result(int largeWinograd) {
      this.largeWinograd = largeWinograd;
    }

    /** Transforms of tiles of 4x4 and more multiply what fp32 rounds by about ten. */
    int amplification(ConvWay way) {
      return way.name().startsWith("cudnn algorithm " + largeWinograd + " ") ? 10 : 1;
    }
  }

  @ParameterizedTest(name = "{0}, {1}")
  @MethodSource("layersAndPrecisions")
  void everyWayAgreesWithTheReference(String name, Precision precision, TestReporter reporter) {
    Layer layer = LAYERS.stream().filter(each -> each.name.equals(name)).findFirst().orElseThrow();
    Bench bench = new Bench(layer, precision);
    ConvWays ways = bench.ways;
    assertNames(ways.forward(), layer.others);
    assertNames(ways.backwardFilter(), layer.others);
    assertNames(ways.backwardData(), layer.in.channels() == 1 ? List.of() : layer.others);
    double[] dw = bench.gradients.parameters().get("conv.weight");
    assertEach(Result.Y, precision, ways.forward(), bench::forward, bench.y, reporter);
    assertEach(
        Result.DX,
        precision,
        ways.backwardData(),
        bench::backwardData,
        bench.gradients.dx(),
        reporter);
    assertEach(Result.DW, precision, ways.backwardFilter(), bench::backwardFilter, dw, reporter);
  }

  /** Each way that its library does not refuse, of which there is one. */
  private static void assertEach(
      Result result,
      Precision precision,
      List<ConvWay> ways,
      Function<ConvWay, double[]> compute,
      double[] expected,
      TestReporter reporter) {
    int ran = 0;
    for (ConvWay way : ways) {
      Optional<double[]> found = unlessRefused(way, compute, reporter);
      if (found.isPresent()) {
        String what = result + " by " + way.name();
        assertClose(what, precision, result.amplification(way), found.get(), expected);
        ran++;
      }
    }
    assertThat(ran).as("ways to compute %s that ran", result).isPositive();
  }

  /** The software device lists nothing that it then refuses: there, a refusal is our mistake. */
  private static Optional<double[]> unlessRefused(
      ConvWay way, Function<ConvWay, double[]> compute, TestReporter reporter) {
    try {
      return Optional.of(compute.apply(way));
    } catch (CudaException e) {
      if (!e.isRefusal() || software()) {
        throw e;
      }
      cuda().synchronize();
      reporter.publishEntry("refused", way.name() + ": " + e.getMessage());
      return Optional.empty();
    }
  }

  private static boolean software() {
    return SoftCuda.unavailable().isEmpty();
  }

  /** cuDNN's algorithms come first, then what else applies. */
  private static void assertNames(List<ConvWay> ways, List<String> others) {
    List<String> names = ways.stream().map(ConvWay::name).toList();
    assertThat(names).endsWith(others.toArray(String[]::new));
    List<String> cudnn = names.subList(0, names.size() - others.size());
    assertThat(cudnn).allMatch(name -> name.startsWith("cudnn"));
    if (software()) {
      assertThat(cudnn).isNotEmpty();
    }
  }
}
