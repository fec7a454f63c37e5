package convtrain.testing;

import convtrain.graph.LayerSpec;
import convtrain.graph.Shape;
import convtrain.graph.Window2d;
import java.util.List;

/**
 * The mean of each window. The divisor counts the window's pixels inside the image and its declared
 * padding, or with {@code count_include_pad} false inside the image.
 */
final class ReferenceAvgPool2d implements ReferenceOp {
  private final LayerSpec.AvgPool2d spec;
  private final Shape in;
  private final Window2d window;
  private final int planes;

  ReferenceAvgPool2d(LayerSpec.AvgPool2d spec, Setting setting) {
    this.spec = spec;
    in = setting.in();
    window = spec.window(in);
    planes = setting.n() * in.channels();
  }

  /** One share: y[iy] += x[ix] / divisor. */
  private interface Share {
    void at(int iy, int ix, double divisor);
  }

  @Override
  public double[] forward(List<double[]> x) {
    double[] y = new double[planes * window.out().h() * window.out().w()];
    forEachShare((iy, ix, divisor) -> y[iy] += x.get(0)[ix] / divisor);
    return y;
  }

  @Override
  public Gradients backward(double[] dy) {
    double[] dx = new double[planes * in.height() * in.width()];
    forEachShare((iy, ix, divisor) -> dx[ix] += dy[iy] / divisor);
    return Gradients.ofInput(dx);
  }

  private void forEachShare(Share share) {
    int iy = 0;
    for (int plane = 0; plane < planes; plane++) {
      for (int i = 0; i < window.out().h(); i++) {
        for (int j = 0; j < window.out().w(); j++) {
          shareWindow(plane, i, j, iy++, share);
        }
      }
    }
  }

  private void shareWindow(int plane, int i, int j, int iy, Share share) {
    int top = i * window.stride().h() - spec.padding().amount().h();
    int left = j * window.stride().w() - spec.padding().amount().w();
    int divisor = 0;
    for (int row = top; row < top + window.kernel().h(); row++) {
      for (int column = left; column < left + window.kernel().w(); column++) {
        divisor += spec.countIncludePad() ? declared(row, column) : inside(row, column);
      }
    }
    for (int row = top; row < top + window.kernel().h(); row++) {
      for (int column = left; column < left + window.kernel().w(); column++) {
        if (inside(row, column) == 1) {
          share.at(iy, (plane * in.height() + row) * in.width() + column, divisor);
        }
      }
    }
  }

  private int inside(int row, int column) {
    return row >= 0 && row < in.height() && column >= 0 && column < in.width() ? 1 : 0;
  }

  private int declared(int row, int column) {
    int lastRow = in.height() + spec.padding().amount().h();
    int lastColumn = in.width() + spec.padding().amount().w();
    return row < lastRow && column < lastColumn ? 1 : 0;
  }
}
