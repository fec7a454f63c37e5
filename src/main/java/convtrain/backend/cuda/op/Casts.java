package convtrain.backend.cuda.op;

import convtrain.backend.DeviceBuffer;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.Launch;
import convtrain.graph.Precision;

/** Between fp32 and what activations are held in, kernels/cast.cu. */
final class Casts {
  private Casts() {}

  /** Rounded to nearest even. */
  static Launch fromFloats(
      CudaContext cuda, Precision precision, DeviceBuffer floats, DeviceBuffer to, long elements) {
    Grids.Packs packs = Grids.Packs.of(cuda, precision, elements);
    return packs.launch("cast", "cast_from_float", floats, to, packs.count());
  }

  static Launch toFloats(
      CudaContext cuda, Precision precision, DeviceBuffer from, DeviceBuffer floats, long elements) {
    Grids.Packs packs = Grids.Packs.of(cuda, precision, elements);
    return packs.launch("cast", "cast_to_float", from, floats, packs.count());
  }
}
