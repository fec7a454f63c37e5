package convtrain.backend.cpu.op;

import convtrain.backend.DeviceBuffer;
import convtrain.backend.Normalization;
import convtrain.backend.Op;
import convtrain.backend.cpu.dnnl.CpuBuffer;
import convtrain.backend.cpu.dnnl.TensorView;
import convtrain.backend.cpu.dnnl.Workers;
import convtrain.graph.Precision;
import convtrain.graph.Shape;
import java.nio.ByteBuffer;

/**
 * The start of a step: batch bytes [N, C, H, W] become normalised elements [N, H, W, C], through a
 * table of 256 floats per channel, the samples dealt out to the workers; labels are copied.
 */
final class StageOp implements Op {
  private final Workers workers;
  private final int batch;
  private final ByteBuffer images;
  private final Shape image;
  private final float[] table;
  private final byte[][] bytes;
  private final float[][] floats;
  private final TensorView x;
  private final ByteBuffer hostLabels;
  private final ByteBuffer labels;
  private final Workers.Task normalizeAll = this::normalizePart;

  StageOp(
      Workers workers,
      Precision precision,
      int batch,
      CpuFeed feed,
      Normalization normalization,
      DeviceBuffer x,
      DeviceBuffer labels) {
    this.workers = workers;
    this.batch = batch;
    this.images = feed.images();
    this.image = normalization.image();
    this.table = normalization.table();
    this.bytes = new byte[workers.parts()][image.elements()];
    this.floats = new float[workers.parts()][image.elements()];
    this.x = TensorView.of(precision, x);
    this.labels = ((CpuBuffer) labels).asBytes();
    this.hostLabels = feed.labels().duplicate().limit(batch * Integer.BYTES);
  }

  @Override
  public void forward() {
    workers.run(normalizeAll);
    labels.put(0, hostLabels, 0, hostLabels.limit());
  }

  private void normalizePart(int part, int parts) {
    byte[] from = bytes[part];
    float[] to = floats[part];
    int channels = image.channels();
    int pixels = image.height() * image.width();
    int end = Workers.begin(batch, part + 1, parts);
    for (int n = Workers.begin(batch, part, parts); n < end; n++) {
      images.get(n * from.length, from);
      for (int c = 0; c < channels; c++) {
        for (int i = 0; i < pixels; i++) {
          to[i * channels + c] = table[c * 256 + (from[c * pixels + i] & 0xFF)];
        }
      }
      x.put(n * to.length, to);
    }
  }
}
