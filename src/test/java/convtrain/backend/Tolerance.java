package convtrain.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import convtrain.graph.LayerSpec;
import convtrain.graph.ModelSpec;
import convtrain.testing.Golden;
import java.util.List;
import java.util.Map;

/**
 * How far a backend may be from PyTorch's or the reference's doubles: one row for each op and
 * precision. A row bounds |found - expected| / max(|expected|, floor x largest |expected|): sums
 * round by their terms' size, which the tensor's largest value stands for.
 *
 * @param relative the bound
 * @param floor share of the tensor's largest value below which errors count against that instead
 * @param why where the error comes from
 */
record Tolerance(double relative, double floor, String why) {
  /** What activations, parameters and gradients are held in. */
  enum Precision {
    FP32
  }

  /** An op that is no layer. */
  static final String STAGE = "stage";

  static final String AUGMENT = "augment";
  static final String LOSS = "loss";
  static final String SUM = "sum";
  static final String UPDATE = "update";
  static final String NETWORK = "network";
  static final String RANDOM_NETWORK = "random network";

  private static final Map<String, Map<Precision, Tolerance>> TABLE =
      Map.ofEntries(
          fp32("conv2d", 4e-6, 0.1, "up to 300 products added in an order of the library's choice"),
          fp32("linear", 4e-6, 0.1, "as conv2d, up to 64 products"),
          fp32("batch_norm2d", 2e-5, 0.1, "x - mean cancels digits, more with a large mean"),
          fp32("batch_norm2d_large_mean", 3e-4, 0.1, "a mean of 100 deviations costs two digits"),
          fp32("max_pool2d", 2e-7, 0.1, "copies; gradients of overlapping windows add up"),
          fp32("avg_pool2d", 1e-6, 0.1, "a sum of up to 16 and a division"),
          fp32("global_avg_pool", 1e-6, 0.1, "a sum of up to 49 and a division"),
          fp32("relu", 0, 0, "copies"),
          fp32("leaky_relu", 2e-7, 0, "one product"),
          fp32("sigmoid", 2e-6, 0.1, "the library's exp; the slope is told from y"),
          fp32("tanh", 2e-6, 0.1, "the library's tanh; 1 - y^2 cancels where y is near 1"),
          fp32("silu", 2e-6, 0.1, "the library's exp; values near 0 are differences"),
          fp32("gelu", 5e-6, 0.1, "the library's erf, good to a few 1e-7 absolute"),
          fp32("softmax", 2e-6, 0.1, "the library's exp and a sum over the classes"),
          fp32("log_softmax", 1e-5, 1, "the library's log is good to a few 1e-6 absolute"),
          fp32("dropout", 2e-7, 0, "one product"),
          fp32("flatten", 0, 0, "copies"),
          fp32("add", 1e-6, 0.1, "as many roundings as inputs"),
          fp32("concat", 1e-6, 0.1, "copies; gradients of one tensor read twice add up"),
          fp32(STAGE, 0, 0, "the formula in fp32, operation by operation"),
          fp32(AUGMENT, 2e-5, 1, "places are good to a few 1e-6 pixels, times the largest step"),
          fp32(LOSS, 1e-6, 1e-3, "inner sums in double, results rounded to fp32"),
          fp32(SUM, 1e-6, 0.1, "as many roundings as parts"),
          fp32(UPDATE, 3e-6, 0.1, "fp32 state over 50 steps, as PyTorch's own against doubles"),
          fp32(NETWORK, 4e-5, 0.1, "errors of up to nine layers, log_softmax among them"),
          fp32(RANDOM_NETWORK, 2e-4, 1, "up to 25 layers; batch norms of few values amplify"));

  private static Map.Entry<String, Map<Precision, Tolerance>> fp32(
      String op, double relative, double floor, String why) {
    return Map.entry(op, Map.of(Precision.FP32, new Tolerance(relative, floor, why)));
  }

  /**
   * Of any op with 16-bit activations.
   *
   * @param roundings of results, and of what lies between ops, that may add up
   */
  static Tolerance rounded(convtrain.graph.Precision precision, int roundings) {
    double half = precision == convtrain.graph.Precision.FP16 ? 0x1p-11 : 0x1p-8;
    return new Tolerance(roundings * half, 0.5, "each rounded to 16 bits");
  }

  /** The row of an op that must have one. */
  static Tolerance of(String op) {
    return TABLE.get(op).get(Precision.FP32);
  }

  /**
   * The row of a golden case, if it has one of its own; else of its one layer; else a network's.
   */
  static Tolerance of(Golden.Case golden) {
    if (TABLE.containsKey(golden.name())) {
      return of(golden.name());
    }
    List<LayerSpec> layers = golden.spec("model", ModelSpec.class).layers();
    return of(layers.size() == 1 ? layers.get(0).type() : NETWORK);
  }

  /** Fails with the first value that is further off than the row allows. */
  void check(String what, double[] found, double[] expected) {
    assertThat(found).as(what).hasSameSizeAs(expected);
    double largest = largest(expected);
    for (int i = 0; i < found.length; i++) {
      double allowed = allowed(expected[i], largest);
      if (!(Math.abs(found[i] - expected[i]) <= allowed)) {
        assertThat(found[i])
            .as("%s[%d] of %d; largest %s; %s", what, i, found.length, largest, why)
            .isCloseTo(expected[i], within(allowed));
      }
    }
  }

  /** Whether {@link #check} would pass. */
  boolean accepts(double[] found, double[] expected) {
    double largest = largest(expected);
    for (int i = 0; i < found.length; i++) {
      if (!(Math.abs(found[i] - expected[i]) <= allowed(expected[i], largest))) {
        return false;
      }
    }
    return true;
  }

  /** A tensor's largest absolute value. */
  static double largest(double[] values) {
    double largest = 0;
    for (double value : values) {
      largest = Math.max(largest, Math.abs(value));
    }
    return largest;
  }

  private double allowed(double expected, double largest) {
    return relative * Math.max(Math.abs(expected), floor * largest);
  }
}
