package convtrain.testing;

import convtrain.graph.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** The inputs' channels one after the other, sample by sample. */
final class ReferenceConcat implements ReferenceOp {
  private final Setting setting;

  ReferenceConcat(Setting setting) {
    this.setting = setting;
  }

  @Override
  public double[] forward(List<double[]> x) {
    double[] y = new double[setting.n() * setting.out().elements()];
    int to = 0;
    for (int n = 0; n < setting.n(); n++) {
      for (double[] each : x) {
        int size = each.length / setting.n();
        System.arraycopy(each, n * size, y, to, size);
        to += size;
      }
    }
    return y;
  }

  @Override
  public Gradients backward(double[] dy) {
    List<double[]> dx = new ArrayList<>();
    for (Shape in : setting.node().in()) {
      dx.add(new double[setting.n() * in.elements()]);
    }
    int from = 0;
    for (int n = 0; n < setting.n(); n++) {
      for (double[] each : dx) {
        int size = each.length / setting.n();
        System.arraycopy(dy, from, each, n * size, size);
        from += size;
      }
    }
    return new Gradients(dx, Map.of());
  }
}
