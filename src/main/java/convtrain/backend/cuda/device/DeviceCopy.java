package convtrain.backend.cuda.device;

import static jcuda.driver.JCudaDriver.cuMemcpyDtoDAsync;

/** Copies one buffer to another of the same size, on the stream of the steps. */
public record DeviceCopy(CudaContext context, CudaBuffer from, CudaBuffer to) {
  public void enqueue() {
    Status.cuda(
        "cuMemcpyDtoDAsync",
        cuMemcpyDtoDAsync(
            to.devicePointer(), from.devicePointer(), from.bytes(), context.stream()));
  }
}
