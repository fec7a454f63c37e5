package convtrain.backend.cuda.device;

import convtrain.backend.Backend;
import convtrain.backend.Owned;
import jcuda.driver.CUstream;

/**
 * Adds up what a stream took between pairs of marks. A pair's first mark is passed when all before
 * it is done, so a stream that waits for the host counts as idle.
 */
public final class CudaBusyClock implements Backend.BusyClock {
  /** How far the host can run ahead of the device before it waits here. */
  private static final int PAIRS = 256;

  private final Owned owned = new Owned();
  private final CUstream stream;
  private final CudaEvent[] begins = new CudaEvent[PAIRS];
  private final CudaEvent[] ends = new CudaEvent[PAIRS];
  private long marked;
  private long added;
  private double seconds;

  public CudaBusyClock(CudaContext context) {
    stream = context.stream();
    try {
      for (int i = 0; i < PAIRS; i++) {
        begins[i] = owned.add(CudaEvent.forTiming());
        ends[i] = owned.add(CudaEvent.forTiming());
      }
    } catch (RuntimeException e) {
      Owned.closeAfter(e, owned);
      throw e;
    }
  }

  @Override
  public void begin() {
    if (marked - added == PAIRS) {
      addOldest();
    }
    begins[(int) (marked % PAIRS)].record(stream);
  }

  @Override
  public void end() {
    ends[(int) (marked++ % PAIRS)].record(stream);
  }

  private void addOldest() {
    int pair = (int) (added++ % PAIRS);
    ends[pair].await();
    seconds += ends[pair].millisSince(begins[pair]) / 1e3;
  }

  @Override
  public double seconds() {
    while (added < marked) {
      addOldest();
    }
    return seconds;
  }

  @Override
  public void close() {
    owned.close();
  }
}
