package convtrain.backend;

import convtrain.backend.OpHarness.Mode;
import convtrain.graph.LayerSpec;
import convtrain.graph.ModelGraph;
import convtrain.graph.ModelSpec;
import convtrain.graph.Padding;
import convtrain.graph.Pair;
import convtrain.graph.Shape;
import convtrain.testing.DeviceFloats;
import convtrain.testing.RandomGraphs;
import convtrain.testing.ReferenceNet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Convolutions with 16-bit activations that a backend may compute in ways of their own. */
class ReducedConvTest extends ReducedContract {
  /** Threads, samples, channels, with a bias: more threads than samples among them. */
  @ParameterizedTest
  @CsvSource({
    "1, 7, 8, 16, true",
    "2, 1, 8, 16, true",
    "3, 7, 8, 16, true",
    "3, 7, 1, 8, false",
    "5, 7, 16, 8, false",
    "5, 3, 32, 32, true",
    "3, 7, 64, 64, true",
    "2, 2, 64, 128, false"
  })
  void gradientsOfAllPartsAreAdded(int threads, int n, int in, int out, boolean bias) {
    Assumptions.assumeTrue(onCpu(), "no threads of ours elsewhere");
    try (Backend backend = way.open(threads)) {
      check(backend, n, Shape.image(in, 9, 8), conv(out, Pair.of(3), Padding.of(1), bias));
    }
  }

  /**
   * Channels that fill half a vector of 16 or less, so that pixels beside each other may be
   * computed as one; kernels, paddings and widths for which that goes, and for which it does not.
   */
  @ParameterizedTest
  @CsvSource({
    "8, 8, 3, 3, 1, 1, 1, 1, 6, 8, false",
    "8, 8, 3, 3, 1, 1, 1, 1, 6, 8, true",
    "8, 16, 3, 3, 0, 0, 1, 1, 6, 10, false",
    "16, 8, 3, 3, 2, 2, 1, 1, 5, 6, false",
    "8, 8, 3, 3, 3, 3, 1, 1, 5, 6, false",
    "4, 4, 1, 5, 0, 2, 1, 1, 3, 12, false",
    "2, 4, 5, 3, 2, 1, 1, 1, 7, 16, false",
    "1, 1, 2, 4, 1, 3, 1, 1, 4, 29, false",
    "1, 8, 3, 3, 0, 1, 1, 1, 4, 10, true",
    "1, 8, 3, 3, 1, 1, 1, 1, 4, 16, false",
    "8, 8, 3, 3, 1, 1, 1, 1, 6, 7, false",
    "8, 8, 3, 3, 1, 1, 2, 1, 6, 8, false",
    "8, 8, 3, 3, 2, 2, 1, 2, 6, 8, false",
    "8, 8, 3, 1, 1, 0, 1, 1, 6, 8, false",
    "5, 3, 3, 3, 1, 1, 1, 1, 6, 8, false",
    "64, 8, 3, 3, 1, 1, 1, 1, 4, 8, false"
  })
  void fewChannelsGiveWhatTheReferenceGives(
      int in,
      int out,
      int r,
      int s,
      int padH,
      int padW,
      int stride,
      int dilation,
      int h,
      int w,
      boolean bias) {
    Padding padding = new Padding(false, new Pair(padH, padW));
    LayerSpec conv =
        new LayerSpec.Conv2d(
            "conv",
            null,
            out,
            new Pair(r, s),
            Pair.of(stride),
            padding,
            Pair.of(dilation),
            null,
            bias,
            null);
    check(backend(), 3, Shape.image(in, h, w), conv);
  }

  /** Kernels of even size: one column more at the right than at the left. */
  @ParameterizedTest
  @CsvSource({"8, 8, 2", "4, 8, 4", "8, 2, 4"})
  void fewChannelsWithUnequalPaddingDoToo(int in, int out, int kernel) {
    check(backend(), 3, Shape.image(in, 6, 8), conv(out, Pair.of(kernel), Padding.SAME, false));
  }

  private boolean onCpu() {
    return way.provider().name().equals("cpu");
  }

  private static LayerSpec conv(int out, Pair kernel, Padding padding, boolean bias) {
    return new LayerSpec.Conv2d("conv", null, out, kernel, null, padding, null, null, bias, null);
  }

  private void check(Backend backend, int n, Shape image, LayerSpec conv) {
    ModelGraph graph = ModelGraph.of(new ModelSpec(image, List.of(conv)));
    Random random = new Random(n);
    Map<String, double[]> parameters = new LinkedHashMap<>();
    RandomGraphs.parameters(graph, 5)
        .forEach((name, values) -> parameters.put(name, DeviceFloats.rounded(precision(), values)));
    double[] x =
        DeviceFloats.rounded(precision(), RandomGraphs.normals(n * image.elements(), random));
    double[] dy =
        DeviceFloats.rounded(
            precision(), RandomGraphs.normals(n * graph.output().out().elements(), random));
    ReferenceNet net = new ReferenceNet(graph, parameters);
    Tolerance once = Tolerance.rounded(precision(), 1);
    // A GPU also rounds before it adds a bias.
    Tolerance toY = onCpu() ? once : Tolerance.rounded(precision(), 2);
    try (OpHarness harness = new OpHarness(backend, graph, n, Mode.TRAINING)) {
      harness.load(parameters);
      // Twice: what the first pass left must not be added to.
      harness.forward(x);
      harness.backward(dy);
      double[] y = harness.forward(x);
      ReferenceNet.Gradients found = harness.backward(dy);
      toY.check("y", y, net.forward(x, true));
      ReferenceNet.Gradients expected = net.backward(dy);
      once.check("dx", found.dx(), expected.dx());
      // The CPU adds products of exact factors in fp32; a GPU also rounds the sums.
      Tolerance sums = onCpu() ? Tolerance.of("conv2d") : once;
      expected
          .parameters()
          .forEach((name, values) -> sums.check(name, found.parameters().get(name), values));
    }
    try (OpHarness harness = new OpHarness(backend, graph, n, Mode.EVALUATION)) {
      toY.check("y", harness.load(parameters).forward(x), net.forward(x, false));
    }
  }
}
