package convtrain.cli;

import java.io.PrintWriter;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/**
 * Makes Ctrl-C (SIGINT) and SIGTERM a wish to stop: from {@link #await} on, the virtual machine
 * ends only when this is closed, so that what was trained can be saved. One serves all runs of a
 * command. The exit status is the signal's, 130 or 143.
 */
final class StopSignal implements BooleanSupplier, AutoCloseable {
  /** A step and the scoring of an epoch take far less; a hung device must not hold the machine. */
  private static final int PATIENCE_SECONDS = 60;

  private final PrintWriter err;
  private final CountDownLatch closed = new CountDownLatch(1);
  private volatile boolean asked;
  private Thread hook;

  /**
   * @param err told if the wait was in vain
   */
  StopSignal(PrintWriter err) {
    this.err = err;
  }

  /** From now on, if not already, a signal waits for {@link #close}. */
  void await() {
    if (hook != null) {
      return;
    }
    hook = new Thread(this::hold, "stop-signal");
    try {
      Runtime.getRuntime().addShutdownHook(hook);
    } catch (IllegalStateException e) {
      // A signal came just before; the virtual machine is ending.
      asked = true;
    }
  }

  private void hold() {
    asked = true;
    try {
      if (!closed.await(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
        err.println(
            "convtrain: the step did not end within 60 s; what was not saved before is lost (a training goes on from its last checkpoint)");
        err.flush();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /** Whether a signal came. */
  @Override
  public boolean getAsBoolean() {
    return asked;
  }

  @Override
  public void close() {
    closed.countDown();
    if (hook != null && !asked) {
      try {
        Runtime.getRuntime().removeShutdownHook(hook);
      } catch (IllegalStateException e) {
        // A signal came just now; the hook finds the latch open.
        return;
      }
    }
  }
}
