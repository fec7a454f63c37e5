package convtrain.backend.cuda.op;

import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.Launch;
import convtrain.graph.Precision;

/** Weights between fp32 and an activation's precision; kernels/cast.cu. */
final class Cast {
  private static final String FILE = "cast";

  private Cast() {}

  static Launch fromFloat(
      CudaContext cuda, Precision precision, CudaBuffer from, CudaBuffer to, long count) {
    Grids.Packs packs = Grids.Packs.of(cuda, precision, count);
    return packs.launch(FILE, "cast_from_float", from, to, packs.count());
  }

  static Launch toFloat(
      CudaContext cuda, Precision precision, CudaBuffer from, CudaBuffer to, long count) {
    Grids.Packs packs = Grids.Packs.of(cuda, precision, count);
    return packs.launch(FILE, "cast_to_float", from, to, packs.count());
  }
}
