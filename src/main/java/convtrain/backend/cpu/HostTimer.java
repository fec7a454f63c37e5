package convtrain.backend.cpu;

import convtrain.backend.Timer;

/** The host's clock: what was enqueued before a mark is done when it is set. */
final class HostTimer implements Timer {
  private final long[] nanos;

  HostTimer(int moments) {
    nanos = new long[moments];
  }

  @Override
  public void mark(int moment) {
    nanos[moment] = System.nanoTime();
  }

  @Override
  public long nanosBetween(int from, int to) {
    return nanos[to] - nanos[from];
  }

  @Override
  public void close() {}
}
