package convtrain.backend.cuda.device;

import static jcuda.driver.JCudaDriver.cuLaunchKernel;

import jcuda.Pointer;
import jcuda.driver.CUfunction;
import jcuda.driver.CUstream;

/** One launch with all its arguments, as often as wanted. */
public final class Launch {
  private final String name;
  private final CUfunction function;
  private final CUstream stream;
  private final int gridX;
  private final int gridY;
  private final int gridZ;
  private final int blockX;
  private final int blockY;
  private final int blockZ;
  private final int sharedBytes;

  /** Keeps the buffers reachable for as long as the kernel may be given their addresses. */
  private final Object[] arguments;

  private Pointer parameters;

  Launch(String name, CUfunction function, CUstream stream, int[] geometry, Object[] arguments) {
    this.name = name;
    this.function = function;
    this.stream = stream;
    gridX = geometry[0];
    gridY = geometry[1];
    gridZ = geometry[2];
    blockX = geometry[3];
    blockY = geometry[4];
    blockZ = geometry[5];
    sharedBytes = geometry[6];
    this.arguments = arguments;
  }

  /** Receives the address of the array of argument pointers. */
  void parametersAt(long address) {
    parameters = new HostAddress(address);
  }

  /** Enqueues it on the compute stream. */
  public void enqueue() {
    int status =
        cuLaunchKernel(
            function,
            gridX,
            gridY,
            gridZ,
            blockX,
            blockY,
            blockZ,
            sharedBytes,
            stream,
            parameters,
            null);
    if (status != 0) {
      throw Status.cudaFailure("cuLaunchKernel of " + this, status);
    }
  }

  /** {@code batch_norm.forward, grid 12 x 1 x 1, block 256 x 1 x 1, 9 arguments}. */
  @Override
  public String toString() {
    return "%s, grid %d x %d x %d, block %d x %d x %d, %d arguments"
        .formatted(name, gridX, gridY, gridZ, blockX, blockY, blockZ, arguments.length);
  }
}
