package convtrain.backend;

import convtrain.graph.DataPlacement;
import java.nio.ByteBuffer;

/** A backend that another one does the work of, all but what a subclass does itself. */
public abstract class ForwardingBackend implements Backend {
  private final Backend real;

  /**
   * @param real closed with this one, unless a subclass leaves that to others
   */
  protected ForwardingBackend(Backend real) {
    this.real = real;
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
  public Replay capture(Runnable enqueueStep) {
    return real.capture(enqueueStep);
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
  public BusyClock busyClock() {
    return real.busyClock();
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

  @Override
  public void close() {
    real.close();
  }
}
