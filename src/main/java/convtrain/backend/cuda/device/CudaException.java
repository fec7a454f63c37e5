package convtrain.backend.cuda.device;

/** A call to CUDA, cuDNN, cuBLAS or NVRTC failed; the plan adds which layer asked for it. */
public class CudaException extends RuntimeException {
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
  public final int status() {
    return status;
  }
}
