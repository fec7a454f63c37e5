package convtrain.backend.cuda.device;

import convtrain.backend.DeviceException;

/** A call to CUDA, cuDNN, cuBLAS or NVRTC failed; the plan adds which layer asked for it. */
public final class CudaException extends DeviceException {
  private static final long serialVersionUID = 1L;

  private final int status;
  private final boolean refusal;

  /**
   * Something broke.
   *
   * @param status the library's number for the failure
   */
  public CudaException(String message, int status) {
    this(message, status, false);
  }

  /**
   * @param refusal see {@link #isRefusal}
   */
  public CudaException(String message, int status, boolean refusal) {
    super(message);
    this.status = status;
    this.refusal = refusal;
  }

  /** The library's number for the failure. */
  public int status() {
    return status;
  }

  /**
   * Whether cuDNN or cuBLAS says that it cannot do this one thing: another way may do it. A
   * driver's failure and a library that does not work at all are none.
   */
  public boolean isRefusal() {
    return refusal;
  }
}
