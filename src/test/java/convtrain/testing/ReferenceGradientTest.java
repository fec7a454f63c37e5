package convtrain.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import convtrain.graph.ModelGraph;
import convtrain.graph.ModelSpec;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.OptionalDouble;
import java.util.Random;
import java.util.function.DoubleUnaryOperator;
import net.jqwik.api.Assume;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.ShrinkingMode;
import net.jqwik.api.constraints.IntRange;

/**
 * The reference's gradients against finite differences through whole random graphs: of the loss,
 * along a random direction in each trained tensor and in the input.
 */
class ReferenceGradientTest {
  private static final double RELATIVE = 1e-6;
  private static final double ABSOLUTE = 1e-10;

  @Property(tries = 60, seed = "11", shrinking = ShrinkingMode.BOUNDED)
  void gradientsOfSmoothGraphsAreTheSlopesOfTheLoss(
      @ForAll long seed, @ForAll @IntRange(max = 5) int blocks, @ForAll boolean training) {
    Probe probe = new Probe(RandomGraphs.model(seed, blocks, RandomGraphs.Kind.SMOOTH), seed);
    probe
        .gradients(training)
        .forEach(
            (tensor, gradient) -> {
              double[] direction = probe.direction(tensor);
              OptionalDouble slope = slope(t -> probe.loss(tensor, direction, t, training));
              assertThat(slope).as("slope of %s", tensor).isPresent();
              assertSlope(tensor, dot(gradient, direction), slope.getAsDouble());
            });
  }

  @Property(tries = 60, seed = "12", shrinking = ShrinkingMode.BOUNDED)
  void gradientsAwayFromKinksAreTheSlopesOfTheLoss(
      @ForAll long seed, @ForAll @IntRange(max = 5) int blocks, @ForAll boolean training) {
    Probe probe = new Probe(RandomGraphs.model(seed, blocks, RandomGraphs.Kind.ANY), seed);
    int[] checked = {0};
    probe
        .gradients(training)
        .forEach(
            (tensor, gradient) -> {
              double[] direction = probe.direction(tensor);
              OptionalDouble slope = slope(t -> probe.loss(tensor, direction, t, training));
              if (slope.isPresent()) {
                checked[0]++;
                assertSlope(tensor, dot(gradient, direction), slope.getAsDouble());
              }
            });
    Assume.that(checked[0] > 0);
  }

  /** A random network with random values and a random batch. */
  private static final class Probe {
    private static final String INPUT = "the input";
    private final ModelGraph graph;
    private final Map<String, double[]> values;
    private final int[] labels;
    private final Random random;

    Probe(ModelSpec model, long seed) {
      graph = ModelGraph.of(model);
      random = new Random(~seed);
      values = new LinkedHashMap<>(RandomGraphs.parameters(graph, seed));
      int n = 3 + random.nextInt(3);
      values.put(INPUT, RandomGraphs.normals(n * graph.input().elements(), random));
      labels = random.ints(n, 0, graph.classes()).toArray();
    }

    double[] direction(String tensor) {
      return RandomGraphs.normals(values.get(tensor).length, random);
    }

    Map<String, double[]> gradients(boolean training) {
      ReferenceNet net = run(values, training);
      ReferenceNet.Gradients found = net.backward(labels);
      Map<String, double[]> gradients = new LinkedHashMap<>(found.parameters());
      gradients.put(INPUT, found.dx());
      return gradients;
    }

    /** The loss with one tensor moved by t along the direction. */
    double loss(String tensor, double[] direction, double t, boolean training) {
      Map<String, double[]> moved = new LinkedHashMap<>(values);
      double[] at = values.get(tensor).clone();
      for (int i = 0; i < at.length; i++) {
        at[i] += t * direction[i];
      }
      moved.put(tensor, at);
      return run(moved, training).loss(labels);
    }

    private ReferenceNet run(Map<String, double[]> at, boolean training) {
      Map<String, double[]> fresh = new LinkedHashMap<>(at);
      fresh.replaceAll((name, tensor) -> tensor.clone()); // running statistics move
      ReferenceNet net = new ReferenceNet(graph, fresh);
      assertThat(net.forward(at.get(INPUT), training)).doesNotContain(Double.NaN);
      return net;
    }
  }

  /**
   * f'(0) by fourth-order central differences, or empty where no step gives the same slope as half
   * the step does: a kink lies within.
   */
  private static OptionalDouble slope(DoubleUnaryOperator f) {
    for (double h = 1e-2; h > 1e-6; h /= 10) {
      double coarse = difference(f, h);
      double fine = difference(f, h / 2);
      if (Math.abs(coarse - fine) <= allowed(coarse, fine) / 10) {
        return OptionalDouble.of(fine);
      }
    }
    return OptionalDouble.empty();
  }

  private static double difference(DoubleUnaryOperator f, double h) {
    double near = f.applyAsDouble(h) - f.applyAsDouble(-h);
    double far = f.applyAsDouble(2 * h) - f.applyAsDouble(-2 * h);
    return (8 * near - far) / (12 * h);
  }

  private static void assertSlope(String tensor, double gradient, double slope) {
    assertThat(gradient).as(tensor).isCloseTo(slope, within(allowed(gradient, slope)));
  }

  private static double allowed(double a, double b) {
    return RELATIVE * Math.max(Math.abs(a), Math.abs(b)) + ABSOLUTE;
  }

  private static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }
}
