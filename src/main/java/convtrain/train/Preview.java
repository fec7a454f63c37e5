package convtrain.train;

import convtrain.backend.Augmentation;
import convtrain.backend.Backend;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.Feed;
import convtrain.backend.Normalization;
import convtrain.backend.Op;
import convtrain.backend.Owned;
import convtrain.config.RunConfig;
import convtrain.data.Dataset;
import convtrain.graph.AugmentSpec;
import convtrain.graph.ModelGraph;
import convtrain.graph.Shape;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;

/** What the network will see of some training images, made by the ops that stage a step's batch. */
public final class Preview {
  private final Backend backend;
  private final RunConfig run;
  private final Normalization normalization;
  private final DatasetSamples samples;
  private final int[] chosen;

  /**
   * @param train what the run trains on
   * @param chosen indices of the images to show
   */
  public Preview(Backend backend, RunConfig run, Dataset train, int[] chosen) {
    this.backend = backend;
    this.run = run;
    this.chosen = chosen.clone();
    samples = new DatasetSamples(train);
    normalization = RunSetup.normalization(run, ModelGraph.of(run.model()));
  }

  /** The images as they are: bytes [H, W, C] of each. */
  public byte[][] plain() {
    return staged(null, 0);
  }

  /** The images as an epoch of the run shows them; what is beyond black and white is cut. */
  public byte[][] inEpoch(int epoch) {
    AugmentSpec spec = run.data().augment();
    return staged(spec == null ? null : new Augmentation(spec, run.seed()), epoch);
  }

  private byte[][] staged(Augmentation augmentation, int epoch) {
    Shape image = normalization.image();
    int n = chosen.length;
    try (Owned owned = new Owned()) {
      Feed feed = owned.add(backend.feed(image.elements(), n, run.data().placement()));
      DeviceBuffer x = owned.add(backend.allocate((long) n * image.elements() * Float.BYTES));
      DeviceBuffer labels = owned.add(backend.allocate((long) n * Integer.BYTES));
      Op stage =
          owned.add(backend.ops(n, true).stage(feed, normalization, augmentation, x, labels));
      feed.start(samples, chosen, n, epoch);
      feed.next();
      stage.forward();
      backend.synchronize();
      return images(x);
    }
  }

  private byte[][] images(DeviceBuffer x) {
    ByteBuffer read =
        ByteBuffer.allocateDirect(Math.toIntExact(x.bytes())).order(ByteOrder.nativeOrder());
    x.read(0, read);
    int elements = normalization.image().elements();
    byte[][] images = new byte[chosen.length][elements];
    for (int i = 0; i < chosen.length * elements; i++) {
      images[i / elements][i % elements] =
          pixel(read.getFloat(i * Float.BYTES), i % normalization.image().channels());
    }
    return images;
  }

  /** The byte that normalises to a value, or nearly. */
  private byte pixel(float value, int channel) {
    double share = value * normalization.std()[channel] + normalization.mean()[channel];
    return (byte) Math.max(0, Math.min(255, Math.round(255 * share)));
  }

  /** Index of each image in the data that the run trains on. */
  public int[] chosen() {
    return chosen.clone();
  }

  /** The class of each image. */
  public int[] labels() {
    return Arrays.stream(chosen).map(samples::label).toArray();
  }
}
