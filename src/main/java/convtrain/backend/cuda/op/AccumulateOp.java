package convtrain.backend.cuda.op;

import convtrain.backend.DeviceBuffer;
import convtrain.backend.Owned;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.graph.Precision;

/** Adds a batch's gradients to the sum that waits for an update, kernels/accumulate.cu. */
final class AccumulateOp extends LaunchList {
  AccumulateOp(CudaContext cuda, DeviceBuffer gradients, DeviceBuffer sum, DeviceBuffer clock) {
    super("convtrain:accumulate");
    Grids.Packs packs = Grids.Packs.of(cuda, Precision.FP32, sum.bytes() / Float.BYTES);
    try {
      then(
          packs.launch(
              "accumulate",
              "accumulate",
              gradients,
              sum,
              packs.count(),
              clock,
              owned.add(cuda.allocate(Integer.BYTES))));
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, this);
      throw e;
    }
  }
}
