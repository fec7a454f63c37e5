package convtrain.backend.cuda.op;

import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.Launch;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import convtrain.graph.Window2d;
import java.util.List;

/**
 * Uneven padding made part of the image, and cut off again; kernels/frame.cu.
 *
 * @param inner shape of an image as it is
 * @param outer shape with its padding
 * @param top rows of padding above
 * @param left columns of padding to the left
 */
record Frame(
    CudaContext cuda, Precision precision, int n, Shape inner, Shape outer, int top, int left) {

  static Frame of(CudaContext cuda, Precision precision, int n, Shape image, Window2d window) {
    Shape outer =
        Shape.image(
            image.channels(),
            window.padTop() + image.height() + window.padBottom(),
            window.padLeft() + image.width() + window.padRight());
    return new Frame(cuda, precision, n, image, outer, window.padTop(), window.padLeft());
  }

  /** out = in with zeros around. */
  Launch pad(CudaBuffer in, CudaBuffer out) {
    return move(in, inner, out, outer, top, left);
  }

  /** out = in without its padding. */
  Launch cut(CudaBuffer in, CudaBuffer out) {
    return move(in, outer, out, inner, -top, -left);
  }

  private Launch move(CudaBuffer in, Shape from, CudaBuffer out, Shape to, int down, int right) {
    Grids.ImageRows rows = Grids.ImageRows.of(cuda, precision, n, to);
    return rows.launch(
        "frame",
        "frame",
        List.of(),
        in,
        out,
        from.height(),
        from.width(),
        to.height(),
        to.width(),
        to.channels(),
        down,
        right);
  }
}
