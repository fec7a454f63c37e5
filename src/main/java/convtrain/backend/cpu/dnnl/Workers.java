package convtrain.backend.cpu.dnnl;

import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;

/**
 * Runs passes of ours, and primitives of oneDNN's that were made for one thread, on the threads
 * that oneDNN's other primitives run on. OpenMP's threads spin for a while after a primitive, so a
 * pass begins about a microsecond after it is asked for; threads of our own would have to be woken
 * while OpenMP's hold the cores. A run allocates nothing while the team keeps its size; a thread
 * that OpenMP makes anew becomes known to the JVM once.
 */
public final class Workers {
  /** A pass that can be cut into parts; part i of n. */
  public interface Task {
    void run(int part, int parts);
  }

  private final int parts;
  private final OpenMp.Body body;
  private final long address;
  private final AtomicReference<Throwable> failure = new AtomicReference<>();

  /** Seen by all parts: OpenMP begins and ends a region with a barrier. */
  private Task task;

  /**
   * @param parts how many ways each task is cut at most, the caller's part included
   */
  public Workers(int parts) {
    this.parts = parts;
    body = parts == 1 ? null : this::runPart;
    address = parts == 1 ? 0 : OpenMp.address(body);
  }

  /**
   * Where a part's stretch of {@code count} things begins; the next part's beginning is its end.
   */
  public static int begin(int count, int part, int parts) {
    return (int) ((long) count * part / parts);
  }

  /** How many ways a task is cut at most. */
  public int parts() {
    return parts;
  }

  /**
   * Makes primitives that run on the thread that executes them alone: oneDNN decides that when it
   * makes them. They may be executed by the parts of a task.
   */
  public <T> T alone(Supplier<T> make) {
    if (parts == 1) {
      return make.get();
    }
    int threads = OpenMp.omp_get_max_threads();
    OpenMp.omp_set_num_threads(1);
    try {
      return make.get();
    } finally {
      OpenMp.omp_set_num_threads(threads);
    }
  }

  /** Runs all parts and returns when the last is done. One thread at a time may ask for it. */
  public void run(Task parallel) {
    if (parts == 1) {
      parallel.run(0, 1);
      return;
    }
    task = parallel;
    OpenMp.GOMP_parallel(address, 0, parts, 0);
    Throwable cause = failure.getAndSet(null);
    if (cause != null) {
      throw new IllegalStateException("a part of a pass failed", cause);
    }
  }

  /** An exception must not leave for OpenMP, which would not pass it on. */
  private void runPart(long data) {
    try {
      task.run(OpenMp.omp_get_thread_num(), OpenMp.omp_get_num_threads());
    } catch (Throwable e) {
      if (!failure.compareAndSet(null, e) && failure.get() != e) {
        failure.get().addSuppressed(e);
      }
    }
  }
}
