package convtrain.worksheet;

import java.util.Locale;

/**
 * Weights and biases in the order of their names: w1, w2, ... row by row, the hidden layer's before
 * the output layer's; b1, b2, ... likewise.
 *
 * @param values [sizes.count()]; not to be changed
 */
record Parameters(Sizes sizes, double[] values) {
  /**
   * How wide the network is; also the place of each parameter.
   *
   * @param biases whether the neurons have any
   */
  record Sizes(int inputs, int hidden, int outputs, boolean biases) {
    int weights() {
      return Math.addExact(Math.multiplyExact(inputs, hidden), Math.multiplyExact(hidden, outputs));
    }

    int count() {
      return biases ? Math.addExact(weights(), hidden + outputs) : weights();
    }

    /** The weight from input i to hidden neuron j. */
    int hiddenWeight(int j, int i) {
      return j * inputs + i;
    }

    /** The weight from hidden neuron j to output neuron k. */
    int outputWeight(int k, int j) {
      return hidden * inputs + k * hidden + j;
    }

    int hiddenBias(int j) {
      return weights() + j;
    }

    int outputBias(int k) {
      return weights() + hidden + k;
    }

    /** {@code 2 inputs, 2 hidden and 1 output neuron with sigmoid, 6 parameters}. */
    String inWords() {
      return String.format(
          Locale.ROOT,
          "%,d input%s, %,d hidden and %,d output neuron%s with sigmoid, %,d parameters",
          inputs,
          inputs == 1 ? "" : "s",
          hidden,
          outputs,
          outputs == 1 ? "" : "s",
          count());
    }

    /** {@code w5} or {@code b2}. */
    String name(int parameter) {
      return parameter < weights() ? "w" + (parameter + 1) : "b" + (parameter - weights() + 1);
    }
  }

  double hiddenWeight(int j, int i) {
    return values[sizes.hiddenWeight(j, i)];
  }

  double outputWeight(int k, int j) {
    return values[sizes.outputWeight(k, j)];
  }

  /** 0 without biases. */
  double hiddenBias(int j) {
    return sizes.biases() ? values[sizes.hiddenBias(j)] : 0;
  }

  /** 0 without biases. */
  double outputBias(int k) {
    return sizes.biases() ? values[sizes.outputBias(k)] : 0;
  }

  /** All at once: w = w - lr * dE/dw. */
  Parameters updated(double lr, double[] gradients) {
    double[] moved = values.clone();
    for (int p = 0; p < moved.length; p++) {
      moved[p] -= lr * gradients[p];
    }
    return new Parameters(sizes, moved);
  }

  /** With one of them changed. */
  Parameters with(int parameter, double value) {
    double[] changed = values.clone();
    changed[parameter] = value;
    return new Parameters(sizes, changed);
  }
}
