package convtrain.backend.cuda.device;

/** An allocation did not fit into the device's memory. */
public final class OutOfDeviceMemory extends CudaException {
  private static final long serialVersionUID = 1L;

  private final long requestedBytes;
  private final long freeBytes;

  /**
   * @param requestedBytes size of the allocation that failed
   * @param freeBytes what the device said was free at that moment, in however many pieces
   */
  OutOfDeviceMemory(int status, long requestedBytes, long freeBytes) {
    super(
        "CUDA_ERROR_OUT_OF_MEMORY: %d bytes were asked for where %d are free"
            .formatted(requestedBytes, freeBytes),
        status);
    this.requestedBytes = requestedBytes;
    this.freeBytes = freeBytes;
  }

  public long requestedBytes() {
    return requestedBytes;
  }

  public long freeBytes() {
    return freeBytes;
  }
}
