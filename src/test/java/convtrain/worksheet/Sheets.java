package convtrain.worksheet;

import convtrain.config.StrictJson;
import convtrain.graph.LayerSpec;
import convtrain.graph.ModelGraph;
import convtrain.graph.ModelSpec;
import convtrain.graph.Shape;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Worksheets that tests share. */
final class Sheets {
  /** The course sheet's network, which is shipped. */
  static final WorksheetSpec COURSE =
      StrictJson.read(Path.of("configs/backprop.json"), WorksheetSpec.class);

  private static final List<String> TENSORS =
      List.of("hidden.weight", "output.weight", "hidden.bias", "output.bias");

  private Sheets() {}

  static Worksheet course(double lr, int steps) {
    return new Worksheet(COURSE.with(lr, steps));
  }

  /** A network of any width with random weights of both signs. */
  static WorksheetSpec random(int inputs, int hidden, int outputs, boolean biases) {
    Random random = new Random(31L * inputs + 7L * hidden + outputs);
    return new WorksheetSpec(
        uniform(random, inputs),
        uniform(random, outputs).stream().map(Math::abs).toList(),
        List.of(matrix(random, hidden, inputs), matrix(random, outputs, hidden)),
        biases ? List.of(uniform(random, hidden), uniform(random, outputs)) : null,
        0.7,
        20);
  }

  /** The network in the engine's words: linear layers "hidden" and "output" and their sigmoids. */
  static ModelGraph graph(Parameters.Sizes sizes) {
    return ModelGraph.of(
        new ModelSpec(
            Shape.vector(sizes.inputs()),
            List.of(
                new LayerSpec.Linear("hidden", null, sizes.hidden(), sizes.biases(), null),
                new LayerSpec.Sigmoid("h", null),
                new LayerSpec.Linear("output", null, sizes.outputs(), sizes.biases(), null),
                new LayerSpec.Sigmoid("o", null))));
  }

  /** The parameters as that network's tensors. */
  static Map<String, double[]> tensors(Parameters.Sizes sizes, double[] values) {
    int hidden = sizes.inputs() * sizes.hidden();
    int[] ends = {hidden, sizes.weights(), sizes.weights() + sizes.hidden(), values.length};
    Map<String, double[]> tensors = new LinkedHashMap<>();
    int at = 0;
    for (int t = 0; t < (sizes.biases() ? 4 : 2); t++) {
      tensors.put(TENSORS.get(t), Arrays.copyOfRange(values, at, ends[t]));
      at = ends[t];
    }
    return tensors;
  }

  /** The other way round. */
  static double[] values(Map<String, double[]> tensors) {
    return TENSORS.stream()
        .filter(tensors::containsKey)
        .flatMapToDouble(name -> Arrays.stream(tensors.get(name)))
        .toArray();
  }

  private static List<List<Double>> matrix(Random random, int rows, int columns) {
    List<List<Double>> matrix = new ArrayList<>();
    for (int row = 0; row < rows; row++) {
      matrix.add(uniform(random, columns));
    }
    return matrix;
  }

  private static List<Double> uniform(Random random, int count) {
    return random.doubles(count, -1, 1).boxed().toList();
  }
}
