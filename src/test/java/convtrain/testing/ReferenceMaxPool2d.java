package convtrain.testing;

import convtrain.graph.LayerSpec;
import convtrain.graph.Shape;
import convtrain.graph.Window2d;
import java.util.List;

/** The largest pixel of each window; of equals the first in row-major order receives dy. */
final class ReferenceMaxPool2d implements ReferenceOp {
  private final Shape in;
  private final Window2d window;
  private final int planes;
  private int[] winners;

  ReferenceMaxPool2d(LayerSpec.MaxPool2d spec, Setting setting) {
    in = setting.in();
    window = spec.window(in);
    planes = setting.n() * in.channels();
  }

  @Override
  public double[] forward(List<double[]> x) {
    double[] y = new double[planes * window.out().h() * window.out().w()];
    winners = new int[y.length];
    int iy = 0;
    for (int plane = 0; plane < planes; plane++) {
      for (int i = 0; i < window.out().h(); i++) {
        for (int j = 0; j < window.out().w(); j++) {
          winners[iy] = winner(x.get(0), plane, i, j);
          y[iy] = x.get(0)[winners[iy]];
          iy++;
        }
      }
    }
    return y;
  }

  private int winner(double[] x, int plane, int i, int j) {
    int best = -1;
    for (int r = 0; r < window.kernel().h(); r++) {
      int row = i * window.stride().h() + r - window.padTop();
      for (int s = 0; s < window.kernel().w(); s++) {
        int column = j * window.stride().w() + s - window.padLeft();
        if (row >= 0 && row < in.height() && column >= 0 && column < in.width()) {
          int ix = (plane * in.height() + row) * in.width() + column;
          best = best < 0 || x[ix] > x[best] ? ix : best;
        }
      }
    }
    return best;
  }

  @Override
  public Gradients backward(double[] dy) {
    double[] dx = new double[planes * in.height() * in.width()];
    for (int i = 0; i < dy.length; i++) {
      dx[winners[i]] += dy[i];
    }
    return Gradients.ofInput(dx);
  }
}
