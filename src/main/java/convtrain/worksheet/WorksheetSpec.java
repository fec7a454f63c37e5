package convtrain.worksheet;

import com.fasterxml.jackson.annotation.JsonProperty;
import convtrain.graph.Check;
import java.util.List;

/**
 * A worksheet's file: a fully connected network of one hidden and one output layer, both with a
 * sigmoid, one training sample, and how it is trained.
 *
 * @param inputs i [I]
 * @param targets t [K]
 * @param weights of the hidden layer [H][I] and of the output layer [K][H]: a row per neuron
 * @param biases of the hidden layer [H] and of the output layer [K]; default none
 * @param lr learning rate; default 0.5
 * @param steps updates; default 100
 */
public record WorksheetSpec(
    @JsonProperty(required = true) List<Double> inputs,
    @JsonProperty(required = true) List<Double> targets,
    @JsonProperty(required = true) List<List<List<Double>>> weights,
    List<List<Double>> biases,
    Double lr,
    Integer steps) {
  private static final List<String> LAYERS = List.of("hidden", "output");

  public WorksheetSpec {
    vector(Check.given(inputs, "inputs"), "inputs");
    vector(Check.given(targets, "targets"), "targets");
    length(
        Check.given(weights, "weights"),
        2,
        "matrices",
        "the hidden and the output layer's",
        "weights");
    int hidden = weights.get(0).size();
    if (hidden == 0) {
      throw new IllegalArgumentException("weights[0] is empty; expected a row per hidden neuron");
    }
    matrix(weights.get(0), hidden, inputs.size(), "one per input", "weights[0]");
    length(weights.get(1), targets.size(), "rows", "one per target", "weights[1]");
    matrix(weights.get(1), targets.size(), hidden, "one per hidden neuron", "weights[1]");
    biases = Check.or(biases, List.of());
    if (!biases.isEmpty()) {
      length(biases, 2, "lists", "the hidden and the output layer's", "biases");
      for (int layer = 0; layer < 2; layer++) {
        String key = "biases[" + layer + "]";
        length(
            biases.get(layer),
            weights.get(layer).size(),
            "numbers",
            "one per " + LAYERS.get(layer) + " neuron",
            key);
        finite(biases.get(layer), key);
      }
    }
    lr = Check.positive(Check.or(lr, 0.5), "lr");
    steps = Check.atLeast(1, Check.or(steps, 100), "steps");
  }

  /** The same network with another learning rate and number of steps. */
  public WorksheetSpec with(double rate, int updates) {
    return new WorksheetSpec(inputs, targets, weights, biases, rate, updates);
  }

  /** The parameters before the first update. */
  Parameters parameters() {
    Parameters.Sizes sizes =
        new Parameters.Sizes(
            inputs.size(), weights.get(0).size(), targets.size(), !biases.isEmpty());
    double[] values = new double[sizes.count()];
    int at = 0;
    for (List<List<Double>> matrix : weights) {
      for (List<Double> row : matrix) {
        at = append(row, values, at);
      }
    }
    for (List<Double> layer : biases) {
      at = append(layer, values, at);
    }
    return new Parameters(sizes, values);
  }

  private static int append(List<Double> row, double[] values, int at) {
    for (int i = 0; i < row.size(); i++) {
      values[at + i] = row.get(i);
    }
    return at + row.size();
  }

  private static void vector(List<Double> values, String key) {
    if (values.isEmpty()) {
      throw new IllegalArgumentException(key + " is empty; expected at least one number");
    }
    finite(values, key);
  }

  private static void matrix(
      List<List<Double>> rows, int count, int columns, String why, String key) {
    for (int row = 0; row < count; row++) {
      String place = key + "[" + row + "]";
      length(rows.get(row), columns, "numbers", why, place);
      finite(rows.get(row), place);
    }
  }

  private static void length(List<?> list, int expected, String what, String why, String key) {
    if (list.size() != expected) {
      throw new IllegalArgumentException(
          "%s has %d %s; expected %d, %s".formatted(key, list.size(), what, expected, why));
    }
  }

  private static void finite(List<Double> values, String key) {
    for (int i = 0; i < values.size(); i++) {
      Check.finite(values.get(i), key + "[" + i + "]");
    }
  }
}
