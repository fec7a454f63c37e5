package convtrain.backend.cuda.device;

import convtrain.backend.Owned;
import convtrain.backend.Timer;

/** An event of the steps' stream for each moment; the device's own clock, to about half a us. */
public final class CudaTimer implements Timer {
  private static final double NANOS_PER_MILLI = 1e6;

  private final Owned owned = new Owned();
  private final CudaContext context;
  private final CudaEvent[] events;

  public CudaTimer(CudaContext context, int moments) {
    this.context = context;
    events = new CudaEvent[moments];
    try {
      for (int i = 0; i < moments; i++) {
        events[i] = owned.add(CudaEvent.forTiming());
      }
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, owned);
      throw e;
    }
  }

  @Override
  public void mark(int moment) {
    events[moment].recordInGraphsToo(context.stream());
  }

  @Override
  public long nanosBetween(int from, int to) {
    return Math.round(events[to].millisSince(events[from]) * NANOS_PER_MILLI);
  }

  @Override
  public void close() {
    owned.close();
  }
}
