package convtrain.backend.cpu.op;

import convtrain.graph.AugmentDraw;
import convtrain.graph.AugmentSpec.ElasticTransform;
import convtrain.graph.Philox;
import convtrain.graph.Shape;

/**
 * The elastic displacements of a few images at a time, see {@link ElasticTransform} and {@link
 * AugmentDraw}. Smoothing sums {@code w[0] n[i] + w[1] (n[i - 1] + n[i + 1]) + ...} in this order,
 * each operation rounded on its own.
 *
 * <p>It runs across rows that are arrays of their own and hold several images: only long loops
 * whose arrays all have the same index become vector code, which takes 0.13 ns for each weight and
 * value where scalar code takes 0.5 (AVX-512). A row beyond the border is the mirrored row itself.
 */
final class ElasticField {
  /** Images that are drawn together: rows of 28 pixels are too short for vectors. */
  static final int IMAGES = 4;

  private final long seed;
  private final int height;
  private final int width;
  private final float[] weights;
  private final float step;
  private final int blocks;
  private final long[] first;
  private final long[] second;

  /** One image's noise [W, 2, H]; the last block's values may reach beyond it. */
  private final float[] noise;

  /** Noise [W][images, 2, H], and smoothed along x. */
  private final float[][] columns;

  private final float[][] smoothColumns;

  /** The same turned, [H][images, 2, W], and smoothed along both. */
  private final float[][] rows;

  private final float[][] smoothRows;

  ElasticField(ElasticTransform spec, Shape image, long seed) {
    this.seed = seed;
    height = image.height();
    width = image.width();
    weights = spec.weights();
    step = AugmentDraw.noiseStep(spec);
    blocks = (2 * height * width + 7) / 8;
    first = new long[blocks];
    second = new long[blocks];
    noise = new float[8 * blocks];
    columns = new float[width][IMAGES * 2 * height];
    smoothColumns = new float[width][IMAGES * 2 * height];
    rows = new float[height][IMAGES * 2 * width];
    smoothRows = new float[height][IMAGES * 2 * width];
  }

  /**
   * Draws the noise of one of the images to be displaced together.
   *
   * @param image which of them
   */
  void draw(int image, int epoch, int sample) {
    Philox.blocks(
        seed,
        AugmentDraw.NOISE_BLOCK,
        sample,
        epoch,
        Philox.Purpose.AUGMENT.ordinal(),
        blocks,
        first,
        second);
    for (int i = 0; i < blocks; i++) {
      put(8 * i, first[i] >>> 32);
      put(8 * i + 2, first[i]);
      put(8 * i + 4, second[i] >>> 32);
      put(8 * i + 6, second[i]);
    }
    int length = 2 * height;
    for (int x = 0; x < width; x++) {
      System.arraycopy(noise, x * length, columns[x], image * length, length);
    }
  }

  private void put(int at, long word) {
    noise[at] = step * (2 * (int) (word & 0xFFFF) - 0xFFFF);
    noise[at + 1] = step * (2 * (int) (word >>> 16 & 0xFFFF) - 0xFFFF);
  }

  /** Makes the displacements of all images whose noise was drawn. */
  void smooth() {
    smooth(columns, smoothColumns);
    turn();
    smooth(rows, smoothRows);
  }

  /**
   * A row of the displacements, in pixels.
   *
   * @return along x from {@link #start} of the image on, then along y; W values each
   */
  float[] row(int y) {
    return smoothRows[y];
  }

  /** Where in a row an image's displacements begin. */
  int start(int image) {
    return image * 2 * width;
  }

  private void smooth(float[][] from, float[][] to) {
    for (int i = 0; i < from.length; i++) {
      scale(from[i], weights[0], to[i]);
      for (int t = 1; t < weights.length; t++) {
        add(at(from, i - t), at(from, i + t), weights[t], to[i]);
      }
    }
  }

  /** Row i, mirrored about the outermost where there is none. */
  private static float[] at(float[][] rows, int i) {
    int after = Math.abs(i);
    return rows[after < rows.length ? after : 2 * (rows.length - 1) - after];
  }

  private static void scale(float[] from, float weight, float[] to) {
    for (int i = 0; i < to.length; i++) {
      to[i] = weight * from[i];
    }
  }

  private static void add(float[] before, float[] behind, float weight, float[] to) {
    for (int i = 0; i < to.length; i++) {
      to[i] = to[i] + weight * (before[i] + behind[i]);
    }
  }

  /** [W][images, 2, H] becomes [H][images, 2, W]. */
  private void turn() {
    for (int y = 0; y < height; y++) {
      float[] row = rows[y];
      for (int x = 0; x < width; x++) {
        float[] column = smoothColumns[x];
        for (int plane = 0; plane < 2 * IMAGES; plane++) {
          row[plane * width + x] = column[plane * height + y];
        }
      }
    }
  }
}
