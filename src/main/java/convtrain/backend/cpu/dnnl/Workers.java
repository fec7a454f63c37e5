package convtrain.backend.cpu.dnnl;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;

/**
 * Threads for the passes that are ours rather than oneDNN's. The caller works too; between runs the
 * others sleep, so that they leave the cores to oneDNN. A run allocates nothing.
 */
public final class Workers implements AutoCloseable {
  /** A pass that can be cut into parts; part i of n, the same cut for every run. */
  public interface Task {
    void run(int part, int parts);
  }

  private final Thread[] threads;
  private final AtomicInteger pending = new AtomicInteger();
  private volatile int round;
  private volatile Task task;
  private volatile Throwable failure;
  private volatile boolean closed;

  /**
   * @param parts how many ways each task is cut, the caller's part included
   */
  public Workers(int parts) {
    threads = new Thread[parts - 1];
    for (int i = 0; i < threads.length; i++) {
      int part = i + 1;
      threads[i] = new Thread(() -> serve(part), "convtrain-worker-" + part);
      threads[i].setDaemon(true);
      threads[i].start();
    }
  }

  /** Runs all parts and returns when the last is done. */
  public void run(Task parallel) {
    task = parallel;
    pending.set(threads.length);
    round++;
    for (Thread thread : threads) {
      LockSupport.unpark(thread);
    }
    try {
      parallel.run(0, threads.length + 1);
    } finally {
      while (pending.get() > 0) {
        Thread.onSpinWait();
      }
    }
    if (failure != null) {
      Throwable cause = failure;
      failure = null;
      throw new IllegalStateException("a worker failed", cause);
    }
  }

  private void serve(int part) {
    int done = 0;
    while (!closed) {
      if (round == done) {
        LockSupport.park(this);
        continue;
      }
      done = round;
      try {
        task.run(part, threads.length + 1);
      } catch (RuntimeException | Error e) {
        failure = e;
      } finally {
        pending.decrementAndGet();
      }
    }
  }

  @Override
  public void close() {
    closed = true;
    for (Thread thread : threads) {
      LockSupport.unpark(thread);
    }
  }
}
