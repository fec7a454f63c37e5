package convtrain.testing;

import convtrain.backend.Augmentation;
import convtrain.backend.Normalization;
import convtrain.graph.AugmentDraw;
import convtrain.graph.AugmentSpec.ElasticTransform;
import convtrain.graph.Philox;
import convtrain.graph.Shape;

/**
 * What the network sees of an image, as documented, to the bit: each pixel and each value of the
 * displacement by itself.
 */
public final class ReferenceAugment {
  private final Normalization normalization;
  private final Augmentation augmentation;
  private final Shape image;
  private final AugmentDraw draw;

  public ReferenceAugment(Normalization normalization, Augmentation augmentation) {
    this.normalization = normalization;
    this.augmentation = augmentation;
    image = normalization.image();
    draw = new AugmentDraw(augmentation.spec(), image, augmentation.seed());
  }

  /**
   * @param bytes [C, H, W]
   * @return x [C, H, W]
   */
  public float[] of(byte[] bytes, int epoch, int sample) {
    draw.draw(epoch, sample);
    float[] x = new float[bytes.length];
    for (int c = 0; c < image.channels(); c++) {
      for (int i = 0; i < image.height(); i++) {
        for (int j = 0; j < image.width(); j++) {
          x[(c * image.height() + i) * image.width() + j] =
              erased(i, j)
                  ? augmentation.spec().randomErasing().value().floatValue()
                  : mapped(bytes, c, i, j, epoch, sample);
        }
      }
    }
    return x;
  }

  private boolean erased(int i, int j) {
    return i >= draw.top()
        && i < draw.top() + draw.rows()
        && j >= draw.left()
        && j < draw.left() + draw.columns();
  }

  private float mapped(byte[] bytes, int c, int i, int j, int epoch, int sample) {
    float x = j + displacement(0, i, j, epoch, sample);
    float y = i + displacement(1, i, j, epoch, sample);
    float column = draw.xx() * x + (draw.xy() * y + draw.x0());
    float row = draw.yx() * x + (draw.yy() * y + draw.y0());
    if (column <= 0 || row <= 0 || column >= image.width() + 1 || row >= image.height() + 1) {
      return pixel(bytes, c, 0, 0);
    }
    int left = (int) Math.floor(column);
    int top = (int) Math.floor(row);
    float fx = column - left;
    float fy = row - top;
    float t = between(pixel(bytes, c, top, left), pixel(bytes, c, top, left + 1), fx);
    float b = between(pixel(bytes, c, top + 1, left), pixel(bytes, c, top + 1, left + 1), fx);
    return between(t, b, fy);
  }

  private static float between(float from, float to, float share) {
    return from + share * (to - from);
  }

  /** Row and column count from one pixel before the image. */
  private float pixel(byte[] bytes, int c, int row, int column) {
    boolean inside = row >= 1 && row <= image.height() && column >= 1 && column <= image.width();
    int value =
        inside ? bytes[(c * image.height() + row - 1) * image.width() + column - 1] & 0xFF : 0;
    return (value / 255f - normalization.mean()[c]) / normalization.std()[c];
  }

  private float displacement(int axis, int i, int j, int epoch, int sample) {
    ElasticTransform elastic = augmentation.spec().elasticTransform();
    if (elastic == null) {
      return 0;
    }
    float[] weights = elastic.weights();
    float sum = weights[0] * smoothAlongX(axis, i, j, epoch, sample);
    for (int t = 1; t <= elastic.radius(); t++) {
      float above = smoothAlongX(axis, mirrored(i - t, image.height()), j, epoch, sample);
      float below = smoothAlongX(axis, mirrored(i + t, image.height()), j, epoch, sample);
      sum += weights[t] * (above + below);
    }
    return sum;
  }

  private float smoothAlongX(int axis, int i, int j, int epoch, int sample) {
    float[] weights = augmentation.spec().elasticTransform().weights();
    float sum = weights[0] * noise(axis, i, j, epoch, sample);
    for (int t = 1; t < weights.length; t++) {
      float before = noise(axis, i, mirrored(j - t, image.width()), epoch, sample);
      float behind = noise(axis, i, mirrored(j + t, image.width()), epoch, sample);
      sum += weights[t] * (before + behind);
    }
    return sum;
  }

  private float noise(int axis, int i, int j, int epoch, int sample) {
    int value = (j * 2 + axis) * image.height() + i;
    int[] words = new int[4];
    Philox.block(
        augmentation.seed(),
        AugmentDraw.NOISE_BLOCK + value / 8,
        sample,
        epoch,
        Philox.Purpose.AUGMENT.ordinal(),
        words);
    int word = words[value / 2 % 4];
    int half = value % 2 == 0 ? word & 0xFFFF : word >>> 16;
    float step = (float) (augmentation.spec().elasticTransform().alpha() / 131072);
    return step * (2 * half - 65535);
  }

  private static int mirrored(int i, int n) {
    int after = Math.abs(i);
    return after < n ? after : 2 * (n - 1) - after;
  }
}
