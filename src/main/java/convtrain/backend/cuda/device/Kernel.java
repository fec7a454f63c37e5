package convtrain.backend.cuda.device;

import convtrain.backend.cuda.device.ParameterBlocks.Block;
import java.nio.ByteBuffer;
import jcuda.driver.CUfunction;
import jcuda.driver.CUstream;

/** A loaded kernel. */
public final class Kernel {
  private static final int MAX_THREADS = 1024;
  private static final int MAX_STATIC_SHARED_BYTES = 48 << 10;

  private final String name;
  private final CUfunction function;
  private final CUstream stream;
  private final ParameterBlocks blocks;

  Kernel(String name, CUfunction function, CUstream stream, ParameterBlocks blocks) {
    this.name = name;
    this.function = function;
    this.stream = stream;
    this.blocks = blocks;
  }

  /** A one-dimensional launch without dynamic shared memory; see the other one for arguments. */
  public Launch launch(long blockCount, int threads, Object... arguments) {
    return launch(Math.toIntExact(blockCount), 1, 1, threads, 1, 1, 0, arguments);
  }

  /**
   * Freezes a launch. The number and the types of the arguments must be those of the kernel: the
   * driver cannot check them.
   *
   * <p>Arguments come as an array: one by one, the compiler could not tell a launch of one
   * dimension from this one.
   *
   * @param arguments a {@link CudaBuffer} or null (address 0), Long, Integer, Float or Double
   */
  public Launch launch(
      int gridX,
      int gridY,
      int gridZ,
      int blockX,
      int blockY,
      int blockZ,
      int sharedBytes,
      Object... arguments) {
    check(gridX > 0 && gridY > 0 && gridZ > 0, "grid", gridX, gridY, gridZ);
    boolean fits =
        blockX > 0 && blockY > 0 && blockZ > 0 && (long) blockX * blockY * blockZ <= MAX_THREADS;
    check(fits, "block", blockX, blockY, blockZ);
    if (sharedBytes < 0 || sharedBytes > MAX_STATIC_SHARED_BYTES) {
      throw new IllegalArgumentException(
          "%s: %d bytes of shared memory; expected 0 to %d"
              .formatted(name, sharedBytes, MAX_STATIC_SHARED_BYTES));
    }
    int[] geometry = {gridX, gridY, gridZ, blockX, blockY, blockZ, sharedBytes};
    int slots = arguments.length;
    Launch launch = new Launch(name, function, stream, geometry, arguments.clone());
    Block block = blocks.take((2 * slots + 1) * Long.BYTES, launch);
    for (int i = 0; i < slots; i++) {
      put(block.bytes(), i * Long.BYTES, arguments[i]);
      long valueAddress = block.address() + (long) i * Long.BYTES;
      block.bytes().putLong((slots + i) * Long.BYTES, valueAddress);
    }
    block.bytes().putLong(2 * slots * Long.BYTES, 0); // ends the list, for who reads that far
    launch.parametersAt(block.address() + (long) slots * Long.BYTES);
    return launch;
  }

  private void check(boolean right, String what, int x, int y, int z) {
    if (!right) {
      throw new IllegalArgumentException(
          "%s: a %s of %d x %d x %d; expected at least 1 each, and at most %d threads in a block"
              .formatted(name, what, x, y, z, MAX_THREADS));
    }
  }

  private void put(ByteBuffer block, int at, Object argument) {
    block.putLong(at, 0);
    if (argument == null) {
      return;
    }
    if (argument instanceof CudaBuffer buffer) {
      block.putLong(at, buffer.address());
    } else if (argument instanceof Long value) {
      block.putLong(at, value);
    } else if (argument instanceof Integer value) {
      block.putInt(at, value);
    } else if (argument instanceof Float value) {
      block.putFloat(at, value);
    } else if (argument instanceof Double value) {
      block.putDouble(at, value);
    } else {
      throw new IllegalArgumentException(
          "%s: an argument of type %s; expected CudaBuffer, Long, Integer, Float or Double"
              .formatted(name, argument.getClass().getSimpleName()));
    }
  }
}
