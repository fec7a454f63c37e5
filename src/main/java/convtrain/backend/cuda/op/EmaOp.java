package convtrain.backend.cuda.op;

import convtrain.backend.DeviceBuffer;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.graph.EmaSpec;
import convtrain.graph.Precision;

/** The moving average of the flat buffer after an update, kernels/ema.cu. */
final class EmaOp extends LaunchList {
  EmaOp(
      CudaContext cuda,
      EmaSpec ema,
      DeviceBuffer values,
      DeviceBuffer averages,
      DeviceBuffer clock) {
    super("convtrain:ema");
    Grids.Packs packs = Grids.Packs.of(cuda, Precision.FP32, values.bytes() / Float.BYTES);
    then(
        packs.launch(
            "ema", "ema", values, averages, packs.count(), clock, ema.decay(), ema.every()));
  }
}
