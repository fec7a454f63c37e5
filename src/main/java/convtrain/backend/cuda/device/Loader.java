package convtrain.backend.cuda.device;

import convtrain.backend.Samples;
import java.nio.ByteBuffer;

/**
 * The thread that gathers batches into pinned slots, ahead of their use. It calls nothing of CUDA
 * and allocates nothing per batch. All shared fields are guarded by this object's monitor; a slot's
 * bytes belong to the thread between being released and being filled.
 */
final class Loader implements AutoCloseable {
  /**
   * Views of one slot.
   *
   * @param images room for a batch [N, C, H, W]
   * @param labels room for N ints, then for the N samples' indices, in native order
   */
  record Slot(ByteBuffer images, ByteBuffer labels) {
    static Slot of(PinnedBuffer pinned, int labelsOffset) {
      ByteBuffer all = pinned.bytes();
      ByteBuffer labels = all.slice(labelsOffset, all.capacity() - labelsOffset);
      return new Slot(all.slice(0, labelsOffset), labels.order(all.order()));
    }
  }

  private final Slot[] slots;
  private final int batchSize;
  private final Thread thread;
  private Samples samples;
  private int[] order = new int[0];
  private int count;
  private int filled;
  private int released;
  private boolean active;
  private boolean filling;
  private boolean closed;
  private Throwable failure;

  Loader(Slot[] slots, int batchSize) {
    this.slots = slots;
    this.batchSize = batchSize;
    thread = new Thread(this::serve, "convtrain-loader");
    thread.setDaemon(true);
    thread.start();
  }

  /** Begins a pass, with all slots free. Call {@link #stop} before. */
  synchronized void start(Samples passSamples, int[] passOrder, int passCount) {
    if (order.length < passCount) {
      order = new int[passCount];
    }
    System.arraycopy(passOrder, 0, order, 0, passCount);
    samples = passSamples;
    count = passCount;
    filled = 0;
    released = 0;
    failure = null;
    active = true;
    notifyAll();
  }

  /** Batches of the pass that are filled. */
  synchronized int filled() {
    return filled;
  }

  /** Says that the slots of the first so many batches may be filled anew. */
  synchronized void release(int batches) {
    if (batches > released) {
      released = batches;
      notifyAll();
    }
  }

  /**
   * Waits for a batch.
   *
   * @return {@link #filled}, now more than {@code batch}
   */
  synchronized int awaitFilled(int batch) {
    while (filled <= batch) {
      if (failure != null) {
        rethrow(failure);
      }
      if (!active) {
        throw new IllegalStateException("batch " + batch + " of a pass that was stopped");
      }
      await();
    }
    return filled;
  }

  /** Samples throw nothing checked. */
  private static void rethrow(Throwable failure) {
    if (failure instanceof Error error) {
      throw error;
    }
    throw (RuntimeException) failure;
  }

  /** Ends the pass; returns when no slot is being written any more. */
  synchronized void stop() {
    active = false;
    while (filling) {
      await();
    }
  }

  private void await() {
    try {
      wait();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted while waiting for a batch", e);
    }
  }

  private void serve() {
    for (int batch = nextToFill(); batch >= 0; batch = nextToFill()) {
      Throwable problem = null;
      try {
        fill(batch);
      } catch (RuntimeException | Error e) {
        problem = e;
      }
      done(problem);
    }
  }

  /** The batch to fill next, once there is one and its slot is free; -1 at the end. */
  private synchronized int nextToFill() {
    while (!closed && !(active && failure == null && hasNext() && hasRoom())) {
      await();
    }
    filling = !closed;
    return closed ? -1 : filled;
  }

  private boolean hasNext() {
    return (long) filled * batchSize < count;
  }

  private boolean hasRoom() {
    return filled < released + slots.length;
  }

  private void fill(int batch) {
    Slot slot = slots[batch % slots.length];
    int first = batch * batchSize;
    int n = Math.min(batchSize, count - first);
    slot.images.clear();
    for (int i = 0; i < n; i++) {
      int sample = order[first + i];
      samples.copyImage(sample, slot.images);
      slot.labels.putInt(i * Integer.BYTES, samples.label(sample));
      slot.labels.putInt((batchSize + i) * Integer.BYTES, sample);
    }
  }

  private synchronized void done(Throwable problem) {
    filling = false;
    failure = problem;
    if (problem == null) {
      filled++;
    }
    notifyAll();
  }

  @Override
  public void close() {
    synchronized (this) {
      closed = true;
      active = false;
      notifyAll();
    }
    boolean interrupted = false;
    while (thread.isAlive()) {
      try {
        thread.join();
      } catch (InterruptedException e) {
        interrupted = true;
      }
    }
    if (interrupted) {
      Thread.currentThread().interrupt();
    }
  }
}
