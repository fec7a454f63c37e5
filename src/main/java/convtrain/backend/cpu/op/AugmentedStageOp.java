package convtrain.backend.cpu.op;

import convtrain.backend.DeviceBuffer;
import convtrain.backend.OpFactory.Augmentation;
import convtrain.backend.OpFactory.Normalization;
import convtrain.backend.cpu.dnnl.CpuBuffer;
import convtrain.backend.cpu.dnnl.Workers;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.Arrays;

/**
 * The start of a training step on varied images: batch bytes [N, C, H, W] become normalised floats
 * [N, H, W, C], the samples dealt out to the workers; labels are copied; the step's dropout masks
 * are drawn.
 */
final class AugmentedStageOp extends ForwardOnly {
  private final Workers workers;
  private final int batch;
  private final CpuFeed feed;
  private final ByteBuffer hostLabels;
  private final FloatBuffer x;
  private final ByteBuffer labels;
  private final DropoutMasks masks;
  private final Augmenter[] augmenters;
  private final Workers.Task augmentAll = this::augmentPart;

  /**
   * @param parts how many ways {@code workers} cuts a task
   */
  AugmentedStageOp(
      Workers workers,
      int parts,
      int batch,
      CpuFeed feed,
      Normalization normalization,
      Augmentation augmentation,
      DeviceBuffer x,
      DeviceBuffer labels,
      DropoutMasks masks) {
    this.workers = workers;
    this.batch = batch;
    this.feed = feed;
    this.hostLabels = feed.labels().duplicate().limit(batch * Integer.BYTES);
    this.x = ((CpuBuffer) x).asFloats();
    this.labels = ((CpuBuffer) labels).asBytes();
    this.masks = masks;
    augmenters = new Augmenter[parts];
    Arrays.setAll(augmenters, part -> new Augmenter(normalization, augmentation));
  }

  @Override
  public void forward() {
    workers.run(augmentAll);
    labels.put(0, hostLabels, 0, hostLabels.limit());
    masks.draw();
  }

  private void augmentPart(int part, int parts) {
    for (int n = part * Augmenter.IMAGES; n < batch; n += parts * Augmenter.IMAGES) {
      augmenters[part].augment(feed, n, Math.min(Augmenter.IMAGES, batch - n), x);
    }
  }
}
