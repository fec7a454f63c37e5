package convtrain.backend.cuda.op;

import convtrain.backend.cuda.device.CudaBuffer;
import convtrain.backend.cuda.device.CudaContext;
import convtrain.backend.cuda.device.Launch;
import convtrain.graph.Precision;

/** Between fp32 and an activation's precision; kernels/cast.cu. */
final class Cast {
  private static final int THREADS = 256;

  private Cast() {}

  static Launch fromFloat(
      CudaContext cuda, Precision precision, CudaBuffer from, CudaBuffer to, long count) {
    return launch(cuda, "cast_from_float", precision, from, to, count);
  }

  static Launch toFloat(
      CudaContext cuda, Precision precision, CudaBuffer from, CudaBuffer to, long count) {
    return launch(cuda, "cast_to_float", precision, from, to, count);
  }

  private static Launch launch(
      CudaContext cuda,
      String function,
      Precision precision,
      CudaBuffer from,
      CudaBuffer to,
      long count) {
    int width = Elements.width(precision, count);
    long packs = count / width;
    return cuda.kernels()
        .get("cast", function, Elements.defines(precision, width))
        .launch((packs + THREADS - 1) / THREADS, THREADS, from, to, packs);
  }
}
