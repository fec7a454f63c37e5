package convtrain.testing;

import convtrain.graph.LayerSpec;
import convtrain.graph.Shape;
import convtrain.graph.Window2d;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * y[n,k,i,j] = bias[k] + sum of w[k,c,r,s] x[n, c, row(i,r), column(j,s)] over the taps inside x.
 */
final class ReferenceConv2d implements ReferenceOp {
  private final Setting setting;
  private final Shape in;
  private final Shape out;
  private final Window2d window;
  private final int groupIn;
  private final int groupOut;
  private final double[] w;
  private final double[] bias;
  private double[] x;

  ReferenceConv2d(LayerSpec.Conv2d spec, Setting setting) {
    this.setting = setting;
    in = setting.in();
    out = setting.out();
    window = spec.window(in);
    groupIn = in.channels() / spec.groups();
    groupOut = out.channels() / spec.groups();
    w = setting.parameter("weight");
    bias = setting.parameter("bias");
  }

  /** One term of the sum: y[iy] += w[iw] x[ix]. */
  private interface Term {
    void at(int iy, int iw, int ix);
  }

  @Override
  public double[] forward(List<double[]> inputs) {
    x = inputs.get(0);
    double[] y = new double[setting.n() * out.elements()];
    if (bias != null) {
      int pixels = out.height() * out.width();
      for (int i = 0; i < y.length; i++) {
        y[i] = bias[i / pixels % out.channels()];
      }
    }
    forEachTerm((iy, iw, ix) -> y[iy] += w[iw] * x[ix]);
    return y;
  }

  @Override
  public Gradients backward(double[] dy) {
    double[] dx = new double[x.length];
    double[] dw = new double[w.length];
    forEachTerm(
        (iy, iw, ix) -> {
          dx[ix] += w[iw] * dy[iy];
          dw[iw] += x[ix] * dy[iy];
        });
    Map<String, double[]> gradients = new LinkedHashMap<>();
    gradients.put("weight", dw);
    if (bias != null) {
      double[] db = new double[bias.length];
      int pixels = out.height() * out.width();
      for (int i = 0; i < dy.length; i++) {
        db[i / pixels % out.channels()] += dy[i];
      }
      gradients.put("bias", db);
    }
    return new Gradients(List.of(dx), gradients);
  }

  private void forEachTerm(Term term) {
    for (int n = 0; n < setting.n(); n++) {
      for (int k = 0; k < out.channels(); k++) {
        for (int c = 0; c < groupIn; c++) {
          int planeX = n * in.channels() + k / groupOut * groupIn + c;
          int planeY = n * out.channels() + k;
          forEachTap(planeY, k * groupIn + c, planeX, term);
        }
      }
    }
  }

  /** One channel in, one out: the planes' positions in y, w and x. */
  private void forEachTap(int planeY, int planeW, int planeX, Term term) {
    for (int r = 0; r < window.kernel().h(); r++) {
      for (int s = 0; s < window.kernel().w(); s++) {
        int iw = (planeW * window.kernel().h() + r) * window.kernel().w() + s;
        for (int i = 0; i < out.height(); i++) {
          int row = i * window.stride().h() + r * window.dilation().h() - window.padTop();
          if (row >= 0 && row < in.height()) {
            int iy = (planeY * out.height() + i) * out.width();
            alongRow(iy, iw, (planeX * in.height() + row) * in.width(), s, term);
          }
        }
      }
    }
  }

  private void alongRow(int iy, int iw, int ix, int s, Term term) {
    int column = s * window.dilation().w() - window.padLeft();
    for (int j = 0; j < out.width(); j++) {
      if (column >= 0 && column < in.width()) {
        term.at(iy + j, iw, ix + column);
      }
      column += window.stride().w();
    }
  }
}
