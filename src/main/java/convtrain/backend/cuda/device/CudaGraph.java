package convtrain.backend.cuda.device;

import static jcuda.driver.JCudaDriver.cuGraphDestroy;
import static jcuda.driver.JCudaDriver.cuGraphExecDestroy;
import static jcuda.driver.JCudaDriver.cuGraphGetNodes;
import static jcuda.driver.JCudaDriver.cuGraphInstantiate;
import static jcuda.driver.JCudaDriver.cuGraphLaunch;
import static jcuda.driver.JCudaDriver.cuStreamBeginCapture;
import static jcuda.driver.JCudaDriver.cuStreamEndCapture;

import jcuda.driver.CUgraph;
import jcuda.driver.CUgraphExec;
import jcuda.driver.CUstream;
import jcuda.driver.CUstreamCaptureMode;

/** Work recorded from a stream once, then started again by a single call. */
public final class CudaGraph implements AutoCloseable {
  private final CUstream stream;
  private final CUgraphExec executable = new CUgraphExec();
  private final int nodes;
  private boolean closed;

  private CudaGraph(CUstream stream, CUgraph recorded) {
    this.stream = stream;
    long[] count = new long[1];
    Status.cuda("cuGraphGetNodes", cuGraphGetNodes(recorded, null, count));
    nodes = Math.toIntExact(count[0]);
    Status.cuda("cuGraphInstantiate", cuGraphInstantiate(executable, recorded, 0));
  }

  /**
   * Records what {@code work} enqueues on the stream, without running it.
   *
   * @param work neither allocates nor waits; its kernels are loaded before
   */
  public static CudaGraph capture(CUstream stream, Runnable work) {
    // Thread-local: what other threads do (none of ours calls CUDA) cannot spoil the recording.
    int mode = CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
    Status.cuda("cuStreamBeginCapture", cuStreamBeginCapture(stream, mode));
    CUgraph recorded = new CUgraph();
    try {
      work.run();
    } catch (RuntimeException | Error e) {
      if (cuStreamEndCapture(stream, recorded) == 0) {
        cuGraphDestroy(recorded);
      }
      throw e;
    }
    Status.cuda("cuStreamEndCapture", cuStreamEndCapture(stream, recorded));
    try {
      return new CudaGraph(stream, recorded);
    } finally {
      Status.cuda("cuGraphDestroy", cuGraphDestroy(recorded));
    }
  }

  /** Enqueues all that was recorded. */
  public void launch() {
    Status.cuda("cuGraphLaunch", cuGraphLaunch(executable, stream));
  }

  /** Kernels, copies and fills of one launch. */
  public int nodes() {
    return nodes;
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      Status.release(() -> Status.cuda("cuGraphExecDestroy", cuGraphExecDestroy(executable)));
    }
  }
}
