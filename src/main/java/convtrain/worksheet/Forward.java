package convtrain.worksheet;

/**
 * One forward pass.
 *
 * <pre>
 * net_h = sum of w i + b    a_h = sigmoid(net_h)
 * net_o = sum of w a_h + b  a_o = sigmoid(net_o)
 * E_o = (t - a_o)^2 / 2     E = sum of E_o
 * </pre>
 *
 * @param netHidden [H]
 * @param hidden activations a_h [H]
 * @param netOutput [K]
 * @param output activations a_o [K]
 * @param errors of each output E_o [K]
 * @param error E
 */
record Forward(
    double[] netHidden,
    double[] hidden,
    double[] netOutput,
    double[] output,
    double[] errors,
    double error) {
  /**
   * The pass of one sample.
   *
   * @param inputs i [I]
   * @param targets t [K]
   */
  static Forward of(Parameters p, double[] inputs, double[] targets) {
    double[] netHidden = new double[p.sizes().hidden()];
    double[] hidden = new double[netHidden.length];
    for (int j = 0; j < hidden.length; j++) {
      netHidden[j] = p.hiddenBias(j);
      for (int i = 0; i < inputs.length; i++) {
        netHidden[j] += p.hiddenWeight(j, i) * inputs[i];
      }
      hidden[j] = sigmoid(netHidden[j]);
    }
    double[] netOutput = new double[targets.length];
    double[] output = new double[targets.length];
    double[] errors = new double[targets.length];
    double error = 0;
    for (int k = 0; k < output.length; k++) {
      netOutput[k] = p.outputBias(k);
      for (int j = 0; j < hidden.length; j++) {
        netOutput[k] += p.outputWeight(k, j) * hidden[j];
      }
      output[k] = sigmoid(netOutput[k]);
      errors[k] = (targets[k] - output[k]) * (targets[k] - output[k]) / 2;
      error += errors[k];
    }
    return new Forward(netHidden, hidden, netOutput, output, errors, error);
  }

  private static double sigmoid(double x) {
    return 1 / (1 + Math.exp(-x));
  }
}
