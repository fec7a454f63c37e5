package convtrain.backend;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.graph.LayerSpec;
import convtrain.graph.ModelGraph;
import convtrain.graph.ModelSpec;
import convtrain.graph.Node;
import convtrain.graph.OptimizerSpec;
import convtrain.graph.Pair;
import convtrain.graph.Shape;
import convtrain.plan.Plan;
import convtrain.testing.DeviceFloats;
import convtrain.testing.PlanRun;
import convtrain.testing.RandomGraphs;
import convtrain.testing.ReferenceDropout;
import convtrain.testing.ReferenceNet;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Whole steps of random networks, with memory shared, layers fused and tensors overwritten as the
 * plan decides, against the reference in doubles.
 */
class PlanContractTest extends BackendContract {
  private static final int GRAPHS = 8;
  private static final OptimizerSpec STILL =
      new OptimizerSpec.Sgd(0.0, null, null, null, null, null);
  private static final long SEED = 11;

  private static final Tolerance TOLERANCE = Tolerance.of(Tolerance.RANDOM_NETWORK);

  /**
   * What a step leaves.
   *
   * @param loss one value
   * @param values gradients of trained tensors, and running statistics
   */
  private record Found(double[] loss, Map<String, double[]> values) {
    double largestGradient() {
      return values.entrySet().stream()
          .filter(each -> !each.getKey().contains(".running_"))
          .mapToDouble(each -> Tolerance.largest(each.getValue()))
          .max()
          .orElseThrow();
    }
  }

  @ParameterizedTest(name = "batch of {0}, {1}")
  @CsvSource({
    "1, SMOOTH",
    "2, SMOOTH",
    "7, SMOOTH",
    "32, SMOOTH",
    "1, ANY",
    "2, ANY",
    "7, ANY",
    "32, ANY"
  })
  void stepsOfRandomNetworksMatchTheReference(int n, RandomGraphs.Kind kind) {
    int compared = 0;
    for (int graph = 0; graph < GRAPHS; graph++) {
      long seed = 1000L * n + graph;
      compared += compare(RandomGraphs.model(seed, 1 + graph % 5, kind), n, seed) ? 1 : 0;
    }
    assertThat(compared).as("graphs that are well conditioned").isGreaterThan(GRAPHS * 3 / 4);
  }

  /** Compares one step, unless the exact gradients themselves jump within fp32's rounding. */
  private static boolean compare(ModelSpec model, int n, long seed) {
    ModelGraph graph = ModelGraph.of(model);
    Map<String, double[]> parameters = rounded(RandomGraphs.parameters(graph, seed));
    try (PlanRun run = run(graph, n)) {
      run.load(parameters);
      run.randomBatch(new Random(seed));
      Plan plan = run.plan(n, true);
      for (int step = 0; step < 2; step++) {
        Found expected = reference(graph, parameters, run, n, step, 0);
        if (!close(reference(graph, parameters, run, n, step, 1e-6), expected)) {
          return false;
        }
        // The second step finds in memory what the first one left.
        run.load(parameters);
        run.step(plan);
        check(model, found(graph, run), expected);
      }
      return true;
    }
  }

  @ParameterizedTest(name = "batch of {0}, {1}")
  @CsvSource({"3, SMOOTH", "5, ANY"})
  void everyStepDropsByItsOwnMask(int n, RandomGraphs.Kind kind) {
    int compared = 0;
    for (int seed = 0; seed < GRAPHS; seed++) {
      ModelSpec model = dropping(RandomGraphs.model(seed, 3, kind));
      ModelGraph graph = ModelGraph.of(model);
      Map<String, double[]> parameters = rounded(RandomGraphs.parameters(graph, seed));
      try (PlanRun run = run(graph, n)) {
        Plan plan = run.plan(n, true);
        run.randomBatch(new Random(seed));
        for (int step = 0; step < 2; step++) {
          run.load(parameters);
          run.step(plan);
          Found expected = reference(graph, parameters, run, n, step, 0);
          if (close(reference(graph, parameters, run, n, step, 1e-6), expected)) {
            check(model, found(graph, run), expected);
            compared++;
          } else {
            run.takeMetrics();
          }
        }
      }
    }
    assertThat(compared).as("steps that are well conditioned").isGreaterThan(2 * GRAPHS * 3 / 4);
  }

  /** Layers that could work in place, where a tensor they would overwrite is still needed. */
  @ParameterizedTest(name = "{0}")
  @ValueSource(
      strings = {
        "tensor read by an activation, then by another layer",
        "activation whose slope is told from its output, then an activation",
        "activation whose slope is told from its output, then a dropout",
        "batch norm read by an activation, then by another layer",
        "tensor dropped for one reader and whole for another"
      })
  void tensorsThatAreStillNeededAreNotOverwritten(String where) {
    Map<String, List<LayerSpec>> middles =
        Map.of(
            "tensor read by an activation, then by another layer",
            List.of(conv("c"), new LayerSpec.Tanh("t", null), add("c", "t")),
            "activation whose slope is told from its output, then an activation",
            List.of(conv("c"), new LayerSpec.Tanh(null, null), new LayerSpec.Sigmoid(null, null)),
            "activation whose slope is told from its output, then a dropout",
            List.of(conv("c"), new LayerSpec.Tanh(null, null), dropout("d")),
            "batch norm read by an activation, then by another layer",
            List.of(
                conv("c"),
                new LayerSpec.BatchNorm2d("bn", null, null, null, null),
                new LayerSpec.Sigmoid("s", null),
                add("bn", "s")),
            "tensor dropped for one reader and whole for another",
            List.of(conv("c"), dropout("d"), add("c", "d")));
    List<LayerSpec> layers = new ArrayList<>(middles.get(where));
    layers.add(new LayerSpec.GlobalAvgPool(null, null));
    layers.add(new LayerSpec.Linear(null, null, 3, null, null));
    ModelSpec model = new ModelSpec(Shape.image(2, 5, 4), layers);
    assertThat(compare(model, 3, 17)).as("well conditioned").isTrue();
  }

  private static LayerSpec conv(String name) {
    return new LayerSpec.Conv2d(name, null, 4, Pair.of(3), null, null, null, null, null, null);
  }

  private static LayerSpec dropout(String name) {
    return new LayerSpec.Dropout(name, null, 0.5);
  }

  private static LayerSpec add(String a, String b) {
    return new LayerSpec.Add(null, List.of(a, b));
  }

  private static PlanRun run(ModelGraph graph, int n) {
    return new PlanRun(backend(), graph, STILL, n, 0.5f, 0.25f, PlanRun.constant(2, 0, 0), SEED);
  }

  /** The model with p = 0.3 wherever a dropout dropped nothing. */
  private static ModelSpec dropping(ModelSpec model) {
    return new ModelSpec(
        model.input(),
        model.layers().stream()
            .map(
                layer ->
                    layer instanceof LayerSpec.Dropout dropout
                        ? new LayerSpec.Dropout(dropout.name(), dropout.inputs(), 0.3)
                        : layer)
            .toList());
  }

  private static Map<String, double[]> rounded(Map<String, double[]> tensors) {
    Map<String, double[]> rounded = new LinkedHashMap<>();
    tensors.forEach(
        (name, values) -> rounded.put(name, DeviceFloats.doubles(DeviceFloats.floats(values))));
    return rounded;
  }

  /** The step's loss, gradients and running statistics with parameters times (1 + moved). */
  private static Found reference(
      ModelGraph graph,
      Map<String, double[]> parameters,
      PlanRun run,
      int n,
      long step,
      double moved) {
    Map<String, double[]> own = new LinkedHashMap<>();
    Random random = new Random(5);
    parameters.forEach(
        (name, values) -> {
          double[] copy = values.clone();
          for (int i = 0; i < copy.length; i++) {
            copy[i] *= 1 + moved * random.nextGaussian();
          }
          own.put(name, copy);
        });
    ReferenceNet net = new ReferenceNet(graph, own);
    for (Node node : graph.nodes()) {
      if (node.spec() instanceof LayerSpec.Dropout dropout && dropout.p() > 0) {
        net.setDropout(
            node.name(),
            ReferenceDropout.factors(SEED, step, node.index(), dropout.p(), n, node.out()));
      }
    }
    net.forward(run.x(n), true);
    int[] labels = run.labels(n);
    Map<String, double[]> values = new LinkedHashMap<>(net.backward(labels).parameters());
    own.forEach(
        (name, tensor) -> {
          if (name.contains(".running_")) {
            values.put(name, tensor);
          }
        });
    return new Found(new double[] {net.loss(labels)}, values);
  }

  private static Found found(ModelGraph graph, PlanRun run) {
    Map<String, double[]> values = new LinkedHashMap<>();
    for (Node node : graph.nodes()) {
      node.parameters()
          .forEach(
              spec -> {
                String name = node.tensorName(spec);
                float[] read =
                    spec.trainable() ? run.state().fetchGradient(name) : run.state().fetch(name);
                values.put(name, DeviceFloats.doubles(read));
              });
    }
    return new Found(new double[] {run.takeMetrics().loss()}, values);
  }

  private static void check(ModelSpec model, Found found, Found expected) {
    assertThat(found.values.keySet()).isEqualTo(expected.values.keySet());
    String layers = model.layers().stream().map(LayerSpec::type).toList().toString();
    TOLERANCE.check("loss of " + layers, found.loss(), expected.loss());
    double network = expected.largestGradient();
    expected.values.forEach(
        (name, values) ->
            TOLERANCE.check(
                name + " of " + layers,
                withScale(found.values.get(name), values, network),
                withScale(values, values, network)));
  }

  private static boolean close(Found found, Found expected) {
    double network = expected.largestGradient();
    return expected.values.entrySet().stream()
        .allMatch(
            each ->
                TOLERANCE.accepts(
                    withScale(found.values.get(each.getKey()), each.getValue(), network),
                    withScale(each.getValue(), each.getValue(), network)));
  }

  /**
   * The values and one more that sets the least scale of their errors: a fiftieth of the network's
   * largest gradient, or half of it where terms as large cancel to nothing, as in the gradient of a
   * bias before a batch norm.
   */
  private static double[] withScale(double[] values, double[] exact, double network) {
    double[] more = Arrays.copyOf(values, values.length + 1);
    more[values.length] = Tolerance.largest(exact) < 1e-9 * network ? network / 2 : network / 50;
    return more;
  }
}
