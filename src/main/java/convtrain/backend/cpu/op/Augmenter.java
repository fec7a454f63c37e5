package convtrain.backend.cpu.op;

import convtrain.backend.Augmentation;
import convtrain.backend.Normalization;
import convtrain.backend.cpu.dnnl.TensorView;
import convtrain.graph.AugmentDraw;
import convtrain.graph.Shape;
import java.util.Arrays;

/**
 * Varies images: an image's bytes are normalised into a frame with a border of zero bytes, one
 * pixel before and two behind, then each output pixel is interpolated from four of the frame's. A
 * place further out than the border is moved onto it, where all four are border. One thread's;
 * allocates nothing per image.
 */
final class Augmenter {
  /** How many are varied together. */
  static final int IMAGES = ElasticField.IMAGES;

  private final int channels;
  private final int height;
  private final int width;
  private final int pitch;
  private final float[] table;
  private final byte[] bytes;
  private final float[][] frames;
  private final float[] values;
  private final AugmentDraw draw;
  private final ElasticField field;
  private final float erased;

  Augmenter(Normalization normalization, Augmentation augmentation) {
    Shape image = normalization.image();
    channels = image.channels();
    height = image.height();
    width = image.width();
    pitch = width + 3;
    table = normalization.table();
    bytes = new byte[image.elements()];
    frames = new float[channels][Math.multiplyExact(pitch, height + 3)];
    for (int c = 0; c < channels; c++) {
      Arrays.fill(frames[c], table[c * 256]);
    }
    values = new float[image.elements()];
    draw = new AugmentDraw(augmentation.spec(), image, augmentation.seed());
    field =
        augmentation.spec().elasticTransform() == null
            ? null
            : new ElasticField(augmentation.spec().elasticTransform(), image, augmentation.seed());
    erased =
        augmentation.spec().randomErasing() == null
            ? 0
            : augmentation.spec().randomErasing().value().floatValue();
  }

  /**
   * Computes what the network sees of a few images, at most {@link #IMAGES}.
   *
   * @param feed whose batch they are in
   * @param first the first one's place in the batch
   * @param x [N, H, W, C] of the batch
   */
  void augment(CpuFeed feed, int first, int count, TensorView x) {
    if (field != null) {
      for (int i = 0; i < count; i++) {
        field.draw(i, feed.epoch(), feed.sample(first + i));
      }
      field.smooth();
    }
    for (int i = 0; i < count; i++) {
      int n = first + i;
      feed.images().get(n * bytes.length, bytes);
      draw.draw(feed.epoch(), feed.sample(n));
      for (int c = 0; c < channels; c++) {
        frame(c);
        if (field == null) {
          interpolate(c);
        } else {
          interpolate(c, field.start(i));
        }
      }
      erase();
      x.put(n * values.length, values);
    }
  }

  private void frame(int c) {
    float[] frame = frames[c];
    for (int i = 0; i < height; i++) {
      int from = (c * height + i) * width;
      int to = (i + 1) * pitch + 1;
      for (int j = 0; j < width; j++) {
        frame[to + j] = table[c * 256 + (bytes[from + j] & 0xFF)];
      }
    }
  }

  private void interpolate(int c) {
    float[] frame = frames[c];
    float xx = draw.xx();
    float yx = draw.yx();
    int at = c;
    for (int i = 0; i < height; i++) {
      float rowX = draw.xy() * i + draw.x0();
      float rowY = draw.yy() * i + draw.y0();
      for (int j = 0; j < width; j++) {
        values[at] = at(frame, xx * j + rowX, yx * j + rowY);
        at += channels;
      }
    }
  }

  /**
   * @param start of the image's displacements in the field's rows
   */
  private void interpolate(int c, int start) {
    float[] frame = frames[c];
    float xx = draw.xx();
    float xy = draw.xy();
    float x0 = draw.x0();
    float yx = draw.yx();
    float yy = draw.yy();
    float y0 = draw.y0();
    int at = c;
    for (int i = 0; i < height; i++) {
      float[] displacement = field.row(i);
      for (int j = 0; j < width; j++) {
        float toX = j + displacement[start + j];
        float toY = i + displacement[start + width + j];
        values[at] = at(frame, xx * toX + (xy * toY + x0), yx * toX + (yy * toY + y0));
        at += channels;
      }
    }
  }

  /** The value at a place of the frame, bilinear. */
  private float at(float[] frame, float placeX, float placeY) {
    float px = clamped(placeX, width + 1);
    float py = clamped(placeY, height + 1);
    int left = (int) px;
    int top = (int) py;
    float fx = px - left;
    float fy = py - top;
    int upper = top * pitch + left;
    int lower = upper + pitch;
    float t = frame[upper] + fx * (frame[upper + 1] - frame[upper]);
    float b = frame[lower] + fx * (frame[lower + 1] - frame[lower]);
    return t + fy * (b - t);
  }

  private static float clamped(float place, int last) {
    return place > 0 ? place < last ? place : last : 0;
  }

  private void erase() {
    int from = draw.left() * channels;
    int to = from + draw.columns() * channels;
    for (int i = draw.top(); i < draw.top() + draw.rows(); i++) {
      int row = i * width * channels;
      Arrays.fill(values, row + from, row + to, erased);
    }
  }
}
