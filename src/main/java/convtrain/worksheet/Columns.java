package convtrain.worksheet;

import java.util.ArrayList;
import java.util.List;

/**
 * The columns of the table of iterations, in the order of the CSV file and the spreadsheet: n,
 * weights and biases, net inputs and activations, errors, deltas, gradients.
 */
final class Columns {
  private final Parameters.Sizes sizes;

  Columns(Parameters.Sizes sizes) {
    this.sizes = sizes;
  }

  int parameter(int index) {
    return 1 + index;
  }

  int netHidden(int j) {
    return parameter(sizes.count()) + j;
  }

  int hidden(int j) {
    return netHidden(sizes.hidden()) + j;
  }

  int netOutput(int k) {
    return hidden(sizes.hidden()) + k;
  }

  int output(int k) {
    return netOutput(sizes.outputs()) + k;
  }

  int error(int k) {
    return output(sizes.outputs()) + k;
  }

  /** Of E, their sum. */
  int totalError() {
    return error(sizes.outputs());
  }

  int deltaOutput(int k) {
    return totalError() + 1 + k;
  }

  int deltaHidden(int j) {
    return deltaOutput(sizes.outputs()) + j;
  }

  int gradient(int index) {
    return deltaHidden(sizes.hidden()) + index;
  }

  int count() {
    return gradient(sizes.count());
  }

  List<String> names() {
    List<String> names = new ArrayList<>(List.of("n"));
    for (int p = 0; p < sizes.count(); p++) {
      names.add(sizes.name(p));
    }
    numbered(names, "net_h", sizes.hidden());
    numbered(names, "a_h", sizes.hidden());
    numbered(names, "net_o", sizes.outputs());
    numbered(names, "a_o", sizes.outputs());
    numbered(names, "E_o", sizes.outputs());
    names.add("E");
    numbered(names, "delta_o", sizes.outputs());
    numbered(names, "delta_h", sizes.hidden());
    for (int p = 0; p < sizes.count(); p++) {
      names.add("dE/d" + sizes.name(p));
    }
    return names;
  }

  /** One number per column. */
  double[] values(Worksheet.Iteration at) {
    double[] values = new double[count()];
    values[0] = at.n();
    put(at.parameters().values(), values, parameter(0));
    put(at.forward().netHidden(), values, netHidden(0));
    put(at.forward().hidden(), values, hidden(0));
    put(at.forward().netOutput(), values, netOutput(0));
    put(at.forward().output(), values, output(0));
    put(at.forward().errors(), values, error(0));
    values[totalError()] = at.forward().error();
    put(at.backward().deltaOutput(), values, deltaOutput(0));
    put(at.backward().deltaHidden(), values, deltaHidden(0));
    put(at.backward().gradients(), values, gradient(0));
    return values;
  }

  private static void put(double[] from, double[] into, int at) {
    System.arraycopy(from, 0, into, at, from.length);
  }

  private static void numbered(List<String> names, String prefix, int count) {
    for (int i = 1; i <= count; i++) {
      names.add(prefix + i);
    }
  }
}
