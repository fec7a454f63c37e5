package convtrain.backend.cuda.device;

import convtrain.backend.Samples;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Samples kept on the device: uploaded when first used, then each pass sends only its order. The
 * sets used last stay (training's; a test and a validation set in turns).
 */
final class ResidentSource implements BatchSource {
  private static final int KEPT_SETS = 2;
  private static final int CHUNK_BYTES = 16 << 20;

  /**
   * A set of samples on the device.
   *
   * @param images bytes [count, C, H, W]
   * @param labels [count] ints
   */
  private record Resident(CudaBuffer images, CudaBuffer labels) implements AutoCloseable {
    @Override
    public void close() {
      labels.close();
      images.close();
    }
  }

  private final CudaContext context;
  private final int imageBytes;
  private final Map<Samples, Resident> kept = new LinkedHashMap<>(8, 0.75f, true);
  private CudaBuffer orderBuffer;

  ResidentSource(CudaContext context, int imageBytes) {
    this.context = context;
    this.imageBytes = imageBytes;
  }

  /** Whether these samples are on the device already. */
  boolean holds(Samples samples) {
    return kept.containsKey(samples);
  }

  /** What a pass over these samples takes on the device. */
  long bytes(int samples, int passCount) {
    long each = Math.addExact((long) imageBytes, Integer.BYTES);
    return Math.addExact(
        Math.multiplyExact(each, (long) samples), (long) passCount * Integer.BYTES);
  }

  @Override
  public FeedLayout start(Samples samples, int[] order, int count) {
    Resident set = kept.get(samples);
    if (set == null) {
      makeRoom();
      set = upload(samples);
      kept.put(samples, set);
    }
    writeOrder(order, count);
    return new FeedLayout(set.images.address(), set.labels.address(), orderBuffer.address(), 0, 1);
  }

  private void makeRoom() {
    Iterator<Resident> oldest = kept.values().iterator();
    while (kept.size() >= KEPT_SETS) {
      Resident dropped = oldest.next();
      oldest.remove();
      dropped.close();
    }
  }

  private Resident upload(Samples samples) {
    long count = samples.count();
    CudaBuffer images = context.allocate(Math.multiplyExact(count, (long) imageBytes));
    CudaBuffer labels = null;
    try {
      labels = context.allocate(count * Integer.BYTES);
      fillImages(samples, images);
      fillLabels(samples, labels);
      return new Resident(images, labels);
    } catch (RuntimeException | Error e) {
      if (labels != null) {
        labels.close();
      }
      images.close();
      throw e;
    }
  }

  /** Chunk by chunk: all of it may be more than a ByteBuffer holds. */
  private void fillImages(Samples samples, CudaBuffer images) {
    int perChunk = Math.max(1, Math.min(CHUNK_BYTES / imageBytes, samples.count()));
    ByteBuffer chunk = ByteBuffer.allocate(Math.multiplyExact(perChunk, imageBytes));
    for (int first = 0; first < samples.count(); first += perChunk) {
      int end = Math.min(samples.count(), first + perChunk);
      chunk.clear();
      for (int i = first; i < end; i++) {
        samples.copyImage(i, chunk);
      }
      images.write((long) first * imageBytes, chunk.flip());
    }
  }

  private static void fillLabels(Samples samples, CudaBuffer labels) {
    ByteBuffer ints = ints(samples.count());
    for (int i = 0; i < samples.count(); i++) {
      ints.putInt(samples.label(i));
    }
    labels.write(0, ints.flip());
  }

  private void writeOrder(int[] order, int count) {
    long needed = Math.max(1, (long) count * Integer.BYTES);
    if (orderBuffer == null || orderBuffer.bytes() < needed) {
      if (orderBuffer != null) {
        orderBuffer.close();
        orderBuffer = null;
      }
      orderBuffer = context.allocate(needed);
    }
    ByteBuffer ints = ints(count);
    ints.asIntBuffer().put(order, 0, count);
    orderBuffer.write(0, ints);
  }

  private static ByteBuffer ints(int count) {
    return ByteBuffer.allocate(Math.multiplyExact(count, Integer.BYTES))
        .order(ByteOrder.nativeOrder());
  }

  /** The kernel gathers by itself. */
  @Override
  public void ready(int batch) {}

  /** Nothing runs in the background. */
  @Override
  public void stop() {}

  @Override
  public void close() {
    kept.values().forEach(Resident::close);
    kept.clear();
    if (orderBuffer != null) {
      orderBuffer.close();
      orderBuffer = null;
    }
  }
}
