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
      throw failure(caller(), cublasStatus.stringFor(status), "", status);
    }
  }

  /** Of the named {@code cublas*} call. */
  public static void cublas(String call, int status) {
    if (status != SUCCESS) {
      throw failure(call, cublasStatus.stringFor(status), "", status);
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

  /** cuDNN 9 numbers its errors anew, so the library itself is asked for their names. */
  private static CudaException cudnnFailure(String call, int status) {
    return failure(call, JCudnn.cudnnGetErrorString(status), "", status);
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
