package convtrain.backend;

import convtrain.graph.DataPlacement;
import convtrain.graph.Precision;
import java.nio.ByteBuffer;

/** A device that trains: its memory, its ops, and how a step is replayed on it. */
public interface Backend extends AutoCloseable {
  /**
   * How a backend computes.
   *
   * @param threads CPU threads to use; 0 is all cores
   * @param precision of activations and products
   * @param deterministic whether only algorithms are used that give the same bits in each run
   * @param graph whether a step is captured once and replayed, on devices that can
   * @param debugSync whether each op is waited for, so that an error names the op that failed
   */
  record Options(
      int threads, Precision precision, boolean deterministic, boolean graph, boolean debugSync) {
    /** fp32, deterministic, captured. */
    public static Options withThreads(int threads) {
      return new Options(threads, Precision.FP32, true, true, false);
    }
  }

  /**
   * Whether a backend can run here.
   *
   * @param usable whether opening it would work
   * @param why the device found, or what is missing and how to get it
   */
  record Availability(boolean usable, String why) {}

  /** Finds out whether a backend can run here, and starts it; found by ServiceLoader. */
  interface Provider {
    /** The word for it on the command line: {@code cpu}, {@code cuda}. */
    String name();

    /** Of several that can run, the one with the highest preference is chosen. */
    int preference();

    /** Looks for the device and its libraries. */
    Availability probe();

    /**
     * Loads the native libraries, which {@link #open} does else; apart, so that it can be timed.
     */
    void load();

    /**
     * Starts the backend.
     *
     * @throws BackendException if it cannot run here or cannot compute as asked
     */
    Backend open(Options options);
  }

  /** The word for it on the command line. */
  String name();

  /** Device and library with their versions, for the console and the provenance file. */
  String description();

  /**
   * New device memory, zeroed. Where in a 64-byte cache line it begins is the backend's choice, the
   * same for all.
   */
  DeviceBuffer allocate(long bytes);

  /**
   * Host memory that the device copies from fastest, zeroed, native order; freed when the backend
   * closes.
   */
  ByteBuffer hostBuffer(int bytes);

  /**
   * What brings batches to the device.
   *
   * @param imageBytes C * H * W of each image
   * @param batchSize samples of a batch
   * @param placement where the bytes are kept
   */
  Feed feed(int imageBytes, int batchSize, DataPlacement placement);

  /** What reads a small buffer while steps run. */
  Readback readback(DeviceBuffer buffer);

  /**
   * What tells how long parts of the enqueued work take.
   *
   * @param moments how many can be marked, from 0
   */
  Timer timer(int moments);

  /**
   * Device memory in use: all that {@link #allocate} gave, and that ops, feeds and the libraries'
   * workspaces took of their own, without what was closed.
   */
  long allocatedBytes();

  /**
   * The ops of one plan.
   *
   * @param batchSize samples per step
   * @param training whether dropout and batch norm behave as in training and backward passes run
   */
  OpFactory ops(int batchSize, boolean training);

  /** What replays a list of enqueues, and owns what replaying takes. */
  interface Replay extends AutoCloseable {
    void run();

    /**
     * Kernels, copies and fills that a run starts by one call; 0 while it starts each by its own.
     */
    default int launches() {
      return 0;
    }

    @Override
    default void close() {}
  }

  /**
   * Turns a list of enqueues into what replays them: a captured graph where the device has one,
   * made at the first run or a later one.
   */
  default Replay capture(Runnable enqueueStep) {
    return enqueueStep::run;
  }

  /** Some work of the simplest kind, to measure what the device can do at most. */
  interface Yardstick extends AutoCloseable {
    /** Does it once and waits; what the device took for it. */
    double seconds();

    @Override
    void close();
  }

  /** The product of two matrices of {@code order} rows and columns in the precision of the ops. */
  Yardstick product(int order);

  /** A copy in device memory, which so reads {@code bytes} and writes as many. */
  Yardstick copy(long bytes);

  /** Adds up how long a device is at work on what was enqueued between a begin and its end. */
  interface BusyClock extends AutoCloseable {
    void begin();

    void end();

    /** So far; waits for what is enqueued. */
    double seconds();

    @Override
    void close();
  }

  /** Null where the host computes, whose processor time tells the same. */
  default BusyClock busyClock() {
    return null;
  }

  /** The most device memory that was in use at once, in bytes, of what {@link #allocate} gave. */
  long peakBytes();

  /** Called after each op that is enqueued; with {@link Options#debugSync}, waits for it. */
  default void afterOp() {}

  /** Waits until everything enqueued is done; an error of it surfaces here. */
  void synchronize();

  /** Frees what the backend owns; buffers must have been closed before. */
  @Override
  void close();
}
