package convtrain.worksheet;

import java.util.ArrayList;
import java.util.List;

/**
 * Every formula of the first iteration, step by step, each with its numbers. In plain letters: w1,
 * i1, net_h1, a_h1, delta_o1, dE/dw1.
 */
final class Derivation {
  /**
   * A chain of equal terms.
   *
   * @param steps the last is a number where there is one
   */
  record Equation(String left, List<String> steps) {
    Equation(String left, String... steps) {
      this(left, List.of(steps));
    }
  }

  /**
   * A part of the derivation.
   *
   * @param note what the reader needs to know first; may be empty
   */
  record Section(String title, String note, List<Equation> equations) {}

  private final Worksheet worksheet;
  private final Parameters.Sizes sizes;
  private final Shown shown;
  private final Parameters p;
  private final Forward forward;
  private final Backward backward;

  Derivation(Worksheet worksheet, Shown shown) {
    this.worksheet = worksheet;
    this.shown = shown;
    sizes = worksheet.sizes();
    Worksheet.Iteration first = worksheet.first();
    p = first.parameters();
    forward = first.forward();
    backward = first.backward();
  }

  List<Section> sections() {
    return List.of(
        sigmoid(),
        hiddenForward(),
        outputForward(),
        error(),
        outputBackward(),
        hiddenBackward(),
        update());
  }

  private static Section sigmoid() {
    return new Section(
        "The sigmoid and its slope",
        "",
        List.of(
            new Equation("sigmoid(x)", "1 / (1 + exp(-x))"),
            new Equation(
                "sigmoid'(x)",
                "exp(-x) / (1 + exp(-x))^2",
                "1 / (1 + exp(-x)) * (1 - 1 / (1 + exp(-x)))",
                "sigmoid(x) * (1 - sigmoid(x))")));
  }

  private Section hiddenForward() {
    List<Equation> equations = new ArrayList<>();
    for (int j : shown.neurons(sizes.hidden())) {
      String h = "h" + (j + 1);
      String formula = shown.sum(sizes.inputs(), i -> w(sizes.hiddenWeight(j, i)) + "*i" + (i + 1));
      String numbers =
          shown.sum(sizes.inputs(), i -> product(p.hiddenWeight(j, i), worksheet.inputs()[i]));
      equations.add(
          new Equation(
              "net_" + h,
              formula + bias(sizes.hiddenBias(j)),
              numbers + biasValue(p.hiddenBias(j)),
              Numbers.of(forward.netHidden()[j])));
      equations.add(activation(h, forward.netHidden()[j], forward.hidden()[j]));
    }
    return new Section(
        "Forward pass: hidden layer", rest(sizes.hidden(), "hidden neurons"), equations);
  }

  private Section outputForward() {
    List<Equation> equations = new ArrayList<>();
    for (int k : shown.neurons(sizes.outputs())) {
      String o = "o" + (k + 1);
      String formula =
          shown.sum(sizes.hidden(), j -> w(sizes.outputWeight(k, j)) + "*a_h" + (j + 1));
      String numbers =
          shown.sum(sizes.hidden(), j -> product(p.outputWeight(k, j), forward.hidden()[j]));
      equations.add(
          new Equation(
              "net_" + o,
              formula + bias(sizes.outputBias(k)),
              numbers + biasValue(p.outputBias(k)),
              Numbers.of(forward.netOutput()[k])));
      equations.add(activation(o, forward.netOutput()[k], forward.output()[k]));
    }
    return new Section(
        "Forward pass: output layer", rest(sizes.outputs(), "output neurons"), equations);
  }

  private static Equation activation(String neuron, double net, double a) {
    return new Equation(
        "a_" + neuron,
        "sigmoid(net_" + neuron + ")",
        "1 / (1 + exp(-" + Numbers.factor(net) + "))",
        Numbers.of(a));
  }

  private Section error() {
    List<Equation> equations = new ArrayList<>();
    for (int k : shown.neurons(sizes.outputs())) {
      String o = "o" + (k + 1);
      equations.add(
          new Equation(
              "E_" + o,
              "(t" + (k + 1) + " - a_" + o + ")^2 / 2",
              "("
                  + Numbers.of(worksheet.targets()[k])
                  + " - "
                  + Numbers.factor(forward.output()[k])
                  + ")^2 / 2",
              Numbers.of(forward.errors()[k])));
    }
    equations.add(
        new Equation(
            "E",
            shown.sum(sizes.outputs(), k -> "E_o" + (k + 1)),
            shown.sum(sizes.outputs(), k -> Numbers.of(forward.errors()[k])),
            Numbers.of(forward.error())));
    return new Section("Error", "", equations);
  }

  private Section outputBackward() {
    List<Equation> equations = new ArrayList<>();
    for (int k : shown.neurons(sizes.outputs())) {
      double a = forward.output()[k];
      double t = worksheet.targets()[k];
      String o = "o" + (k + 1);
      equations.add(
          new Equation(
              "dE/da_" + o,
              "2 * (t" + (k + 1) + " - a_" + o + ") / 2 * (-1)",
              "a_" + o + " - t" + (k + 1),
              Numbers.of(a) + " - " + Numbers.factor(t),
              Numbers.of(a - t)));
      Neuron neuron = new Neuron(o, a, a - t, backward.deltaOutput()[k]);
      neuron.addDelta(equations);
      for (int j : shown.weights(sizes.hidden())) {
        equations.add(
            neuron.gradient(w(sizes.outputWeight(k, j)), "a_h" + (j + 1), forward.hidden()[j]));
      }
      if (sizes.biases()) {
        equations.add(neuron.gradient(w(sizes.outputBias(k)), "1", 1));
      }
    }
    return new Section(
        "Backward pass: output layer",
        "A weight moves E through the net input and the activation of its own neuron.",
        equations);
  }

  private Section hiddenBackward() {
    List<Equation> equations = new ArrayList<>();
    for (int j : shown.neurons(sizes.hidden())) {
      equations.add(throughOutputs(j));
      Neuron neuron =
          new Neuron(
              "h" + (j + 1),
              forward.hidden()[j],
              Backward.activationGradient(p, backward.deltaOutput(), j),
              backward.deltaHidden()[j]);
      neuron.addDelta(equations);
      for (int i : shown.weights(sizes.inputs())) {
        equations.add(
            neuron.gradient(w(sizes.hiddenWeight(j, i)), "i" + (i + 1), worksheet.inputs()[i]));
      }
      if (sizes.biases()) {
        equations.add(neuron.gradient(w(sizes.hiddenBias(j)), "1", 1));
      }
    }
    return new Section(
        "Backward pass: hidden layer",
        "A hidden neuron moves E through every output that it feeds; its own slope follows.",
        equations);
  }

  /** dE/da_h: the sum over the outputs that the hidden neuron feeds. */
  private Equation throughOutputs(int j) {
    String h = "h" + (j + 1);
    double[] delta = backward.deltaOutput();
    return new Equation(
        "dE/da_" + h,
        shown.sum(sizes.outputs(), k -> "dE/dnet_o%1$d * dnet_o%1$d/da_%2$s".formatted(k + 1, h)),
        shown.sum(sizes.outputs(), k -> "delta_o" + (k + 1) + "*" + w(sizes.outputWeight(k, j))),
        shown.sum(sizes.outputs(), k -> product(delta[k], p.outputWeight(k, j))),
        Numbers.of(Backward.activationGradient(p, delta, j)));
  }

  /**
   * The chain rule from one neuron's activation to its weights.
   *
   * @param name {@code h1} or {@code o1}
   * @param a its activation
   * @param errorSlope dE/da
   * @param delta dE/dnet
   */
  private record Neuron(String name, double a, double errorSlope, double delta) {
    void addDelta(List<Equation> equations) {
      equations.add(
          new Equation(
              "da_%1$s/dnet_%1$s".formatted(name),
              "a_%1$s * (1 - a_%1$s)".formatted(name),
              Numbers.of(a) + " * (1 - " + Numbers.of(a) + ")",
              Numbers.of(a * (1 - a))));
      equations.add(
          new Equation(
              "delta_" + name,
              "dE/dnet_" + name,
              "dE/da_%1$s * da_%1$s/dnet_%1$s".formatted(name),
              product(errorSlope, a * (1 - a)),
              Numbers.of(delta)));
    }

    /** dE/dw of a weight from a source, which is 1 for a bias. */
    Equation gradient(String w, String source, double value) {
      return new Equation(
          "dE/d" + w,
          "dE/da_%1$s * da_%1$s/dnet_%1$s * dnet_%1$s/d%2$s".formatted(name, w),
          "delta_" + name + " * " + source,
          product(delta, value),
          Numbers.of(delta * value));
    }
  }

  private Section update() {
    List<Equation> equations = new ArrayList<>();
    Parameters moved = p.updated(worksheet.lr(), backward.gradients());
    for (int j : shown.neurons(sizes.hidden())) {
      for (int i : shown.weights(sizes.inputs())) {
        equations.add(update(sizes.hiddenWeight(j, i), moved));
      }
    }
    for (int k : shown.neurons(sizes.outputs())) {
      for (int j : shown.weights(sizes.hidden())) {
        equations.add(update(sizes.outputWeight(k, j), moved));
      }
    }
    if (sizes.biases()) {
      for (int j : shown.neurons(sizes.hidden())) {
        equations.add(update(sizes.hiddenBias(j), moved));
      }
      for (int k : shown.neurons(sizes.outputs())) {
        equations.add(update(sizes.outputBias(k), moved));
      }
    }
    return new Section(
        "Update",
        "All at once, with the gradients above: each parameter goes against its gradient.",
        equations);
  }

  private Equation update(int parameter, Parameters moved) {
    String w = w(parameter);
    return new Equation(
        w + "'",
        w + " - lr * dE/d" + w,
        "%s - %s * %s"
            .formatted(
                Numbers.of(p.values()[parameter]),
                Numbers.of(worksheet.lr()),
                Numbers.factor(backward.gradients()[parameter])),
        Numbers.of(moved.values()[parameter]));
  }

  private String rest(int count, String what) {
    int written = shown.neurons(count).length;
    return written == count
        ? ""
        : "%d of %d %s; the others are alike.".formatted(written, count, what);
  }

  private String w(int parameter) {
    return sizes.name(parameter);
  }

  private String bias(int parameter) {
    return sizes.biases() ? " + " + w(parameter) : "";
  }

  private String biasValue(double value) {
    return sizes.biases() ? " + " + Numbers.factor(value) : "";
  }

  private static String product(double a, double b) {
    return Numbers.factor(a) + "*" + Numbers.factor(b);
  }
}
