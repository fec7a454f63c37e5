package convtrain.bench;

import convtrain.backend.Backend;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.Feed;
import convtrain.backend.OpFactory;
import convtrain.backend.Readback;
import convtrain.backend.Timer;
import convtrain.graph.DataPlacement;
import java.nio.ByteBuffer;

/**
 * A backend that another one does the work of, and that marks begin and end of each step while it
 * is told to.
 */
final class MarkedBackend implements Backend {
  private final Backend real;
  private final BusyClock clock;
  private boolean marking;

  MarkedBackend(Backend real, BusyClock clock) {
    this.real = real;
    this.clock = clock;
  }

  /** Marks take time of their own, so they are set for a while only. */
  void mark(boolean wanted) {
    marking = wanted;
  }

  @Override
  public Replay capture(Runnable enqueueStep) {
    Replay replay = real.capture(enqueueStep);
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

  @Override
  public String name() {
    return real.name();
  }

  @Override
  public String description() {
    return real.description();
  }

  @Override
  public DeviceBuffer allocate(long bytes) {
    return real.allocate(bytes);
  }

  @Override
  public ByteBuffer hostBuffer(int bytes) {
    return real.hostBuffer(bytes);
  }

  @Override
  public Feed feed(int imageBytes, int batchSize, DataPlacement placement) {
    return real.feed(imageBytes, batchSize, placement);
  }

  @Override
  public Readback readback(DeviceBuffer buffer) {
    return real.readback(buffer);
  }

  @Override
  public Timer timer(int moments) {
    return real.timer(moments);
  }

  @Override
  public long allocatedBytes() {
    return real.allocatedBytes();
  }

  @Override
  public OpFactory ops(int batchSize, boolean training) {
    return real.ops(batchSize, training);
  }

  @Override
  public Yardstick product(int order) {
    return real.product(order);
  }

  @Override
  public Yardstick copy(long bytes) {
    return real.copy(bytes);
  }

  @Override
  public long peakBytes() {
    return real.peakBytes();
  }

  @Override
  public void afterOp() {
    real.afterOp();
  }

  @Override
  public void synchronize() {
    real.synchronize();
  }

  /** The other's creator closes it. */
  @Override
  public void close() {}
}
