package convtrain.backend;

import java.nio.ByteBuffer;

/** A device that trains: its memory, its ops, and how a step is replayed on it. */
public interface Backend extends AutoCloseable {
  /** Finds out whether a backend can run here, and starts it; found by ServiceLoader. */
  interface Provider {
    /** The word for it on the command line: {@code cpu}, {@code cuda}. */
    String name();

    /**
     * Starts the backend.
     *
     * @param threads CPU threads to use; 0 is all cores
     */
    Backend open(int threads);
  }

  /** The word for it on the command line. */
  String name();

  /** Device and library with their versions, for the console and the provenance file. */
  String description();

  /** New device memory, 64-byte aligned and zeroed. */
  DeviceBuffer allocate(long bytes);

  /**
   * Host memory that the device copies from fastest, zeroed, native order; freed when the backend
   * closes.
   */
  ByteBuffer hostBuffer(int bytes);

  /**
   * The ops of one plan.
   *
   * @param batchSize samples per step
   * @param training whether dropout and batch norm behave as in training and backward passes run
   */
  OpFactory ops(int batchSize, boolean training);

  /** Turns a list of enqueues into what replays them: a captured graph where the device has one. */
  default Runnable capture(Runnable enqueueStep) {
    return enqueueStep;
  }

  /** Waits until everything enqueued is done; an error of it surfaces here. */
  void synchronize();

  /** Frees what the backend owns; buffers must have been closed before. */
  @Override
  void close();
}
