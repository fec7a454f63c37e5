package convtrain.backend.cuda.device;

import jcuda.driver.JCudaDriver;
import jcuda.jcublas.cublasStatus;
import jcuda.jcudnn.JCudnn;
import jcuda.nvrtc.JNvrtc;

/**
 * Checks what every call returns. A failure names the error and the call, or, where the call is not
 * given, the method of ours that made it.
 */
public final class Status {
  private static final int SUCCESS = 0;

  /**
   * {@code CUDNN_STATUS_BAD_PARAM} of cuDNN 9; NOT_SUPPORTED, INTERNAL_ERROR and EXECUTION_FAILED
   * follow, each with a thousand numbers. Below are those of a library that cannot be used.
   */
  private static final int FIRST_CUDNN_REFUSAL = 2000;

  private static final int AFTER_CUDNN_REFUSALS = 6000;

  /** The last failure of a {@code cu*} call that was thrown. */
  private static volatile int thrown;

  private Status() {}

  /** Of a {@code cu*} call. */
  public static void cuda(int status) {
    if (status != SUCCESS) {
      throw cudaFailure(caller(), status);
    }
  }

  /** Of the named {@code cu*} call. */
  public static void cuda(String call, int status) {
    if (status != SUCCESS) {
      throw cudaFailure(call, status);
    }
  }

  /**
   * Runs the checked call that releases something. After an illegal access and the like the driver
   * answers every call with that error: once it was thrown, releasing does not throw it again and
   * so hides where it came from.
   */
  public static void release(Runnable checkedCall) {
    int before = thrown;
    try {
      checkedCall.run();
    } catch (CudaException e) {
      if (before == SUCCESS || JCudaDriver.cuCtxSynchronize() != before) {
        throw e;
      }
    }
  }

  /** Forgets failures of a context that is gone. */
  static void begin() {
    thrown = SUCCESS;
  }

  /** Of a {@code cudnn*} call. */
  public static void cudnn(int status) {
    if (status != SUCCESS) {
      throw cudnnFailure(caller(), status);
    }
  }

  /** Of the named {@code cudnn*} call. */
  public static void cudnn(String call, int status) {
    if (status != SUCCESS) {
      throw cudnnFailure(call, status);
    }
  }

  /** Of a {@code cublas*} call. */
  public static void cublas(int status) {
    if (status != SUCCESS) {
      throw cublasFailure(caller(), status);
    }
  }

  /** Of the named {@code cublas*} call. */
  public static void cublas(String call, int status) {
    if (status != SUCCESS) {
      throw cublasFailure(call, status);
    }
  }

  /** Of an {@code nvrtc*} call. */
  public static void nvrtc(int status) {
    if (status != SUCCESS) {
      throw failure(caller(), JNvrtc.nvrtcGetErrorString(status), "", status);
    }
  }

  /** Of the named {@code nvrtc*} call. */
  public static void nvrtc(String call, int status) {
    if (status != SUCCESS) {
      throw failure(call, JNvrtc.nvrtcGetErrorString(status), "", status);
    }
  }

  static CudaException cudaFailure(String call, int status) {
    thrown = status;
    String[] name = {null};
    String[] text = {null};
    JCudaDriver.cuGetErrorName(status, name);
    JCudaDriver.cuGetErrorString(status, text);
    return failure(call, name[0] == null ? "error " + status : name[0], text[0], status);
  }

  /** Whether a status of a {@code cudnn*} call says that cuDNN cannot do this one thing. */
  public static boolean isCudnnRefusal(int status) {
    return status >= FIRST_CUDNN_REFUSAL && status < AFTER_CUDNN_REFUSALS;
  }

  /** cuDNN 9 numbers its errors anew, so the library itself is asked for their names. */
  private static CudaException cudnnFailure(String call, int status) {
    String message = call + ": " + JCudnn.cudnnGetErrorString(status);
    return new CudaException(message, status, isCudnnRefusal(status));
  }

  private static CudaException cublasFailure(String call, int status) {
    boolean refusal =
        status != cublasStatus.CUBLAS_STATUS_NOT_INITIALIZED
            && status != cublasStatus.JCUBLAS_STATUS_INTERNAL_ERROR;
    return new CudaException(call + ": " + cublasStatus.stringFor(status), status, refusal);
  }

  private static CudaException failure(String call, String name, String text, int status) {
    String meaning = text == null || text.isEmpty() ? "" : " (" + text + ")";
    return new CudaException("%s: %s%s".formatted(call, name, meaning), status);
  }

  /** {@code ConvOp.forward}: where the check stands. */
  private static String caller() {
    return StackWalker.getInstance()
        .walk(
            frames ->
                frames
                    .filter(frame -> !frame.getClassName().equals(Status.class.getName()))
                    .findFirst()
                    .map(frame -> simpleName(frame.getClassName()) + "." + frame.getMethodName())
                    .orElse("a CUDA call"));
  }

  private static String simpleName(String className) {
    return className.substring(className.lastIndexOf('.') + 1);
  }
}
