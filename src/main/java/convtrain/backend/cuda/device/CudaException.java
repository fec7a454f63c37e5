package convtrain.backend.cuda.device;

import convtrain.backend.DeviceException;

/** A call to CUDA, cuDNN, cuBLAS or NVRTC failed; the plan adds which layer asked for it. */
public final class CudaException extends DeviceException {
  private static final long serialVersionUID = 1L;

  private final int status;

  /**
   * @param status the library's number for the failure
   */
  public CudaException(String message, int status) {
    super(message);
    this.status = status;
  }

  /** The library's number for the failure. */
  public int status() {
    return status;
  }
}
