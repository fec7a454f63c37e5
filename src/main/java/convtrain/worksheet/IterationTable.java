package convtrain.worksheet;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * The table of iterations for readers: E, activations of the outputs and the weights of a small
 * network; of a long run the first ten iterations and then one in ten, in a hundred, ...
 */
record IterationTable(Worksheet worksheet, Shown shown) {
  private static final int FEW = 12;

  List<String> header() {
    List<String> names = new ArrayList<>(List.of("n", "E"));
    Parameters.Sizes sizes = worksheet.sizes();
    Arrays.stream(shown.columns(sizes.outputs())).forEach(k -> names.add("a_o" + (k + 1)));
    for (int p = 0; p < weightColumns(); p++) {
      names.add(sizes.name(p));
    }
    return names;
  }

  List<List<String>> rows() {
    return worksheet.iterations().filter(at -> isShown(at.n())).map(this::row).toList();
  }

  private List<String> row(Worksheet.Iteration at) {
    List<String> row = new ArrayList<>(List.of(Integer.toString(at.n())));
    row.add(Numbers.of(at.forward().error()));
    for (int k : shown.columns(worksheet.sizes().outputs())) {
      row.add(Numbers.cell(at.forward().output()[k]));
    }
    for (int p = 0; p < weightColumns(); p++) {
      row.add(Numbers.cell(at.parameters().values()[p]));
    }
    return row;
  }

  private int weightColumns() {
    int count = worksheet.sizes().count();
    return shown.all() || count <= FEW ? count : 0;
  }

  private boolean isShown(int n) {
    int unit = 1;
    while (n >= 10L * unit) {
      unit *= 10;
    }
    return n % unit == 0 || n == worksheet.steps();
  }
}
