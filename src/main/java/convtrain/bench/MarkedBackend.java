package convtrain.bench;

import convtrain.backend.Backend;
import convtrain.backend.ForwardingBackend;

/**
 * A backend that another one does the work of, and that marks begin and end of each step while it
 * is told to.
 */
final class MarkedBackend extends ForwardingBackend {
  private final BusyClock clock;
  private boolean marking;

  MarkedBackend(Backend real, BusyClock clock) {
    super(real);
    this.clock = clock;
  }

  /** Marks take time of their own, so they are set for a while only. */
  void mark(boolean wanted) {
    marking = wanted;
  }

  @Override
  public Replay capture(Runnable enqueueStep) {
    Replay replay = super.capture(enqueueStep);
    return new Replay() {
      @Override
      public void run() {
        if (!marking) {
          replay.run();
          return;
        }
        clock.begin();
        replay.run();
        clock.end();
      }

      @Override
      public int launches() {
        return replay.launches();
      }

      @Override
      public void close() {
        replay.close();
      }
    };
  }

  /** The other's creator closes it. */
  @Override
  public void close() {}
}
