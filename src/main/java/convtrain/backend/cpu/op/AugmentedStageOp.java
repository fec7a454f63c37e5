package convtrain.backend.cpu.op;

import convtrain.backend.Augmentation;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.Normalization;
import convtrain.backend.Op;
import convtrain.backend.cpu.dnnl.CpuBuffer;
import convtrain.backend.cpu.dnnl.TensorView;
import convtrain.backend.cpu.dnnl.Workers;
import convtrain.graph.Precision;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * The start of a training step on varied images: batch bytes [N, C, H, W] become normalised
 * elements [N, H, W, C], the samples dealt out to the workers; labels are copied.
 */
final class AugmentedStageOp implements Op {
  private final Workers workers;
  private final int batch;
  private final CpuFeed feed;
  private final ByteBuffer hostLabels;
  private final TensorView x;
  private final ByteBuffer labels;
  private final Augmenter[] augmenters;
  private final Workers.Task augmentAll = this::augmentPart;

  AugmentedStageOp(
      Workers workers,
      Precision precision,
      int batch,
      CpuFeed feed,
      Normalization normalization,
      Augmentation augmentation,
      DeviceBuffer x,
      DeviceBuffer labels) {
    this.workers = workers;
    this.batch = batch;
    this.feed = feed;
    this.hostLabels = feed.labels().duplicate().limit(batch * Integer.BYTES);
    this.x = TensorView.of(precision, x);
    this.labels = ((CpuBuffer) labels).asBytes();
    augmenters = new Augmenter[workers.parts()];
    Arrays.setAll(augmenters, part -> new Augmenter(normalization, augmentation));
  }

  @Override
  public void forward() {
    workers.run(augmentAll);
    labels.put(0, hostLabels, 0, hostLabels.limit());
  }

  private void augmentPart(int part, int parts) {
    int end = Workers.begin(batch, part + 1, parts);
    for (int n = Workers.begin(batch, part, parts); n < end; n += Augmenter.IMAGES) {
      augmenters[part].augment(feed, n, Math.min(Augmenter.IMAGES, end - n), x);
    }
  }
}
