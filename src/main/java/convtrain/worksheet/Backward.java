package convtrain.worksheet;

/**
 * One backward pass, by the chain rule.
 *
 * <pre>
 * delta_o = dE/dnet_o = (a_o - t) a_o (1 - a_o)                    dE/dw = delta_o a_h   dE/db = delta_o
 * delta_h = dE/dnet_h = (sum over o of delta_o w) a_h (1 - a_h)    dE/dw = delta_h i     dE/db = delta_h
 * </pre>
 *
 * <p>The slope a (1 - a) in delta_h is that of the hidden neuron itself: of h2 for w3 and w4.
 *
 * @param deltaOutput delta_o [K]
 * @param deltaHidden delta_h [H]
 * @param gradients dE/dw and dE/db in the order of {@link Parameters}
 */
record Backward(double[] deltaOutput, double[] deltaHidden, double[] gradients) {
  static Backward of(Parameters p, double[] inputs, double[] targets, Forward forward) {
    double[] deltaOutput = new double[targets.length];
    for (int k = 0; k < targets.length; k++) {
      double a = forward.output()[k];
      deltaOutput[k] = (a - targets[k]) * a * (1 - a);
    }
    double[] deltaHidden = new double[forward.hidden().length];
    for (int j = 0; j < deltaHidden.length; j++) {
      double a = forward.hidden()[j];
      deltaHidden[j] = activationGradient(p, deltaOutput, j) * a * (1 - a);
    }
    return new Backward(
        deltaOutput,
        deltaHidden,
        gradients(p.sizes(), inputs, forward.hidden(), deltaOutput, deltaHidden));
  }

  /** dE/da_h of hidden neuron j: over every output that it feeds. */
  static double activationGradient(Parameters p, double[] deltaOutput, int j) {
    double sum = 0;
    for (int k = 0; k < deltaOutput.length; k++) {
      sum += deltaOutput[k] * p.outputWeight(k, j);
    }
    return sum;
  }

  private static double[] gradients(
      Parameters.Sizes sizes,
      double[] inputs,
      double[] hidden,
      double[] deltaOutput,
      double[] deltaHidden) {
    double[] gradients = new double[sizes.count()];
    for (int j = 0; j < deltaHidden.length; j++) {
      for (int i = 0; i < inputs.length; i++) {
        gradients[sizes.hiddenWeight(j, i)] = deltaHidden[j] * inputs[i];
      }
      if (sizes.biases()) {
        gradients[sizes.hiddenBias(j)] = deltaHidden[j];
      }
    }
    for (int k = 0; k < deltaOutput.length; k++) {
      for (int j = 0; j < hidden.length; j++) {
        gradients[sizes.outputWeight(k, j)] = deltaOutput[k] * hidden[j];
      }
      if (sizes.biases()) {
        gradients[sizes.outputBias(k)] = deltaOutput[k];
      }
    }
    return gradients;
  }
}
