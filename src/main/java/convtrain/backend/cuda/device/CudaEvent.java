package convtrain.backend.cuda.device;

import static jcuda.driver.JCudaDriver.cuEventCreate;
import static jcuda.driver.JCudaDriver.cuEventDestroy;
import static jcuda.driver.JCudaDriver.cuEventElapsedTime;
import static jcuda.driver.JCudaDriver.cuEventQuery;
import static jcuda.driver.JCudaDriver.cuEventRecord;
import static jcuda.driver.JCudaDriver.cuEventRecordWithFlags;
import static jcuda.driver.JCudaDriver.cuEventSynchronize;
import static jcuda.driver.JCudaDriver.cuStreamIsCapturing;
import static jcuda.driver.JCudaDriver.cuStreamWaitEvent;

import jcuda.driver.CUevent;
import jcuda.driver.CUevent_record_flags;
import jcuda.driver.CUresult;
import jcuda.driver.CUstream;
import jcuda.driver.CUstreamCaptureStatus;

/** A mark in a stream's work that the host and other streams can wait for. */
final class CudaEvent implements AutoCloseable {
  private static final int DISABLE_TIMING = 0x2;

  private final CUevent event = new CUevent();

  private CudaEvent(int flags) {
    Status.cuda("cuEventCreate", cuEventCreate(event, flags));
  }

  /** One that only orders, which is cheaper than one that also measures. */
  static CudaEvent forOrder() {
    return new CudaEvent(DISABLE_TIMING);
  }

  /** One between which time can be measured. */
  static CudaEvent forTiming() {
    return new CudaEvent(0);
  }

  /** Marks the end of what the stream was given so far; a mark set before is forgotten. */
  void record(CUstream stream) {
    Status.cuda("cuEventRecord", cuEventRecord(event, stream));
  }

  /**
   * As {@link #record}; while the stream is captured, each launch of the graph will do it. A plain
   * record would only order what is captured.
   */
  void recordInGraphsToo(CUstream stream) {
    int[] status = new int[1];
    Status.cuda("cuStreamIsCapturing", cuStreamIsCapturing(stream, status));
    int flags =
        status[0] == CUstreamCaptureStatus.CU_STREAM_CAPTURE_STATUS_NONE
            ? CUevent_record_flags.CU_EVENT_RECORD_DEFAULT
            : CUevent_record_flags.CU_EVENT_RECORD_EXTERNAL;
    Status.cuda("cuEventRecordWithFlags", cuEventRecordWithFlags(event, stream, flags));
  }

  /** Lets the stream go on only after this mark, without waiting here. */
  void holdBack(CUstream stream) {
    Status.cuda("cuStreamWaitEvent", cuStreamWaitEvent(stream, event, 0));
  }

  /** Whether the mark was passed; one never set counts as passed. */
  boolean passed() {
    int status = cuEventQuery(event);
    if (status == CUresult.CUDA_ERROR_NOT_READY) {
      return false;
    }
    Status.cuda("cuEventQuery", status);
    return true;
  }

  /** Waits here until the mark was passed. */
  void await() {
    Status.cuda("cuEventSynchronize", cuEventSynchronize(event));
  }

  /** Time from an earlier mark to this one; both passed. */
  float millisSince(CudaEvent earlier) {
    float[] millis = new float[1];
    Status.cuda("cuEventElapsedTime", cuEventElapsedTime(millis, earlier.event, event));
    return millis[0];
  }

  @Override
  public void close() {
    Status.release(() -> Status.cuda("cuEventDestroy", cuEventDestroy(event)));
  }
}
