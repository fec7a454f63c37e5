package convtrain.backend.cuda.op;

import convtrain.backend.cuda.device.CudaContext;

/** A convolution of one tap as the matrix product that it is, by cuBLAS. */
final class PixelwiseConvolution {
  private static final String NAME = "cublas";

  private final CudaContext cuda;
  private final ConvGeometry geometry;
  private final MatrixProducts products;

  PixelwiseConvolution(CudaContext cuda, ConvGeometry g) {
    this.cuda = cuda;
    geometry = g;
    int rows = Math.toIntExact(g.pixels());
    products = new MatrixProducts(cuda, g.precision(), rows, g.c(), g.k());
  }

  static boolean applies(ConvGeometry g) {
    return g.pixelwise() && g.pixels() <= Integer.MAX_VALUE;
  }

  ConvWay forward() {
    return new ConvWay(
        NAME,
        0,
        m ->
            Bias.after(
                products.forward(m.x(), m.factors(), m.y()),
                cuda,
                geometry.precision(),
                geometry.pixels(),
                geometry.k(),
                m.y(),
                m.bias()));
  }

  ConvWay backwardData() {
    return new ConvWay(NAME, 0, m -> products.backwardData(m.dy(), m.factors(), m.dx()));
  }

  ConvWay backwardFilter() {
    return new ConvWay(NAME, 0, m -> products.backwardWeight(m.dy(), m.x(), m.dWeight()));
  }
}
