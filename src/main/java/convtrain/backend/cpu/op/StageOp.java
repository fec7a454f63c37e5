package convtrain.backend.cpu.op;

import convtrain.backend.DeviceBuffer;
import convtrain.backend.OpFactory.Normalization;
import convtrain.backend.cpu.dnnl.CpuBuffer;
import convtrain.graph.Shape;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;

/**
 * The start of a step: batch bytes [N, C, H, W] become normalised floats [N, H, W, C], through a
 * table of 256 floats per channel; labels are copied; the step's dropout masks are drawn.
 */
final class StageOp extends ForwardOnly {
  private final int batch;
  private final ByteBuffer images;
  private final Shape image;
  private final float[] table;
  private final byte[] bytes;
  private final float[] floats;
  private final FloatBuffer x;
  private final ByteBuffer hostLabels;
  private final ByteBuffer labels;
  private final DropoutMasks masks;

  StageOp(
      int batch,
      CpuFeed feed,
      Normalization normalization,
      DeviceBuffer x,
      DeviceBuffer labels,
      DropoutMasks masks) {
    this.batch = batch;
    this.images = feed.images();
    this.image = normalization.image();
    this.table = normalization.table();
    this.bytes = new byte[image.elements()];
    this.floats = new float[image.elements()];
    this.x = ((CpuBuffer) x).asFloats();
    this.labels = ((CpuBuffer) labels).asBytes();
    this.hostLabels = feed.labels().duplicate().limit(batch * Integer.BYTES);
    this.masks = masks;
  }

  @Override
  public void forward() {
    int channels = image.channels();
    int pixels = image.height() * image.width();
    for (int n = 0; n < batch; n++) {
      images.get(n * bytes.length, bytes);
      for (int c = 0; c < channels; c++) {
        for (int i = 0; i < pixels; i++) {
          floats[i * channels + c] = table[c * 256 + (bytes[c * pixels + i] & 0xFF)];
        }
      }
      x.put(n * floats.length, floats);
    }
    labels.put(0, hostLabels, 0, hostLabels.limit());
    masks.draw();
  }
}
