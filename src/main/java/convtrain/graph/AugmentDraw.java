package convtrain.graph;

import java.util.List;

/**
 * The random parameters of one image in one epoch: an affine map and a rectangle to erase. The
 * contract, equal to the bit on every backend (kernels/augment.cuh computes the same):
 *
 * <p>Word i of block b is that of the Philox block (b, sample, epoch, AUGMENT) under the run's
 * seed, where sample is the image's index in its data set; so neither batch size nor order,
 * placement or an interruption changes what an image becomes. With u = word 2^-32, {@code
 * uniform(min, max) = min + (max - min) u} and {@code below(n) = floor(n u)}:
 *
 * <pre>
 * block  word 0                 1                 2             3
 *     0  angle                  tx                ty            scale
 *     1  shear x                shear y           crop column   crop row
 *     2  erased if u &lt; p
 * 3 + k  area                   log(ratio)        row           column      k-th try, k = 0 .. 9
 *  16..  the elastic displacement's noise, 16 bits for each value
 * </pre>
 *
 * <p>With angle r and shears sx, sy the forward map is torchvision's, scale times
 *
 * <pre>
 * a = cos(r - sy) / cos(sy)    b = -a tan(sx) - sin(r)
 * c = sin(r - sy) / cos(sy)    d = -c tan(sx) + cos(r)
 * </pre>
 *
 * and tx, ty are rounded to whole pixels. A try erases h = round(sqrt(area ratio)) rows and w =
 * round(sqrt(area / ratio)) columns if both are smaller than the image; after ten that are not,
 * nothing is erased.
 *
 * <p>All of it is computed in doubles, every product and sum rounded on its own; sines and powers
 * are the polynomials of {@code PinnedMath}. The map's six numbers are then rounded to floats. The
 * displacement's noise: values are counted x-major, value {@code v = (x 2 + axis) H + y}, axis 0
 * for x; it is {@code (2 h - 65535) 2^-17 alpha} with h the low, then the high half of word v / 2 %
 * 4 of block 16 + v / 8.
 *
 * <p>Not for several threads; a draw allocates nothing.
 */
public final class AugmentDraw {
  /** The first block of the elastic displacement's noise. */
  public static final int NOISE_BLOCK = 16;

  private static final int TRIES = 10;
  private static final int FIRST_TRY = 3;

  private static final double TWO_POW_MINUS_32 = 0x1p-32;

  /** A range that {@code uniform} draws from. */
  private record Range(double min, double span) {
    static final Range ZERO = new Range(0, 0);

    static Range of(List<Double> values) {
      double min = values.size() == 1 ? -values.get(0) : values.get(0);
      double max = values.get(values.size() - 1);
      return new Range(min, max - min);
    }

    double at(int word) {
      return min + span * unit(word);
    }
  }

  private final long seed;
  private final int height;
  private final int width;
  private final Range angle;
  private final Range tx;
  private final Range ty;
  private final Range scale;
  private final Range shearX;
  private final Range shearY;
  private final int padding;
  private final double p;
  private final Range area;
  private final Range logRatio;
  private final int[] words = new int[4];
  private float xx;
  private float xy;
  private float x0;
  private float yx;
  private float yy;
  private float y0;
  private int top;
  private int left;
  private int rows;
  private int columns;

  /**
   * @param image the samples' shape
   * @param seed the run's seed
   */
  public AugmentDraw(AugmentSpec spec, Shape image, long seed) {
    spec.check(image);
    this.seed = seed;
    height = image.height();
    width = image.width();
    AugmentSpec.RandomAffine affine = spec.randomAffine();
    boolean shears = affine != null && affine.shear() != null;
    angle = affine == null ? Range.ZERO : Range.of(affine.degrees());
    tx = shift(affine, 0, width);
    ty = shift(affine, 1, height);
    scale = affine == null || affine.scale() == null ? new Range(1, 0) : Range.of(affine.scale());
    shearX =
        shears
            ? Range.of(affine.shear().subList(0, Math.min(2, affine.shear().size())))
            : Range.ZERO;
    shearY =
        shears && affine.shear().size() == 4 ? Range.of(affine.shear().subList(2, 4)) : Range.ZERO;
    padding = spec.randomCrop() == null ? 0 : spec.randomCrop().padding();
    AugmentSpec.RandomErasing erasing = spec.randomErasing();
    p = erasing == null ? 0 : erasing.p();
    area =
        erasing == null
            ? Range.ZERO
            : Range.of(erasing.scale().stream().map(share -> share * width * height).toList());
    logRatio =
        erasing == null ? Range.ZERO : Range.of(erasing.ratio().stream().map(Math::log).toList());
  }

  private static Range shift(AugmentSpec.RandomAffine affine, int axis, int size) {
    return affine == null || affine.translate() == null
        ? Range.ZERO
        : Range.of(List.of(affine.translate().get(axis) * size));
  }

  /** The numbers that draws depend on beside seed, epoch and sample, as the kernel reads them. */
  public double[] constants() {
    return new double[] {
      angle.min,
      angle.span,
      tx.min,
      tx.span,
      ty.min,
      ty.span,
      scale.min,
      scale.span,
      shearX.min,
      shearX.span,
      shearY.min,
      shearY.span,
      p,
      area.min,
      area.span,
      logRatio.min,
      logRatio.span,
      padding
    };
  }

  /** {@code 2^-17 alpha}, by which the elastic displacement's whole numbers are multiplied. */
  public static float noiseStep(AugmentSpec.ElasticTransform spec) {
    return (float) (spec.alpha() * 0x1p-17);
  }

  /** Draws what becomes of an image. */
  public void draw(int epoch, int sample) {
    drawMap(epoch, sample);
    rows = 0;
    columns = 0;
    if (p > 0) {
      block(2, epoch, sample);
      if (unit(words[0]) < p) {
        drawRectangle(epoch, sample);
      }
    }
  }

  private void drawMap(int epoch, int sample) {
    block(0, epoch, sample);
    double r = angle.at(words[0]);
    double shiftX = Math.rint(tx.at(words[1]));
    double shiftY = Math.rint(ty.at(words[2]));
    double s = scale.at(words[3]);
    block(1, epoch, sample);
    double sx = shearX.at(words[0]);
    double sy = shearY.at(words[1]);
    int column = below(2 * padding + 1, words[2]) - padding;
    int row = below(2 * padding + 1, words[3]) - padding;

    double cosSy = PinnedMath.cosine(sy);
    double tanSx = PinnedMath.sine(sx) / PinnedMath.cosine(sx);
    double a = PinnedMath.cosine(r - sy) / cosSy;
    double c = PinnedMath.sine(r - sy) / cosSy;
    double b = -(a * tanSx) - PinnedMath.sine(r);
    double d = -(c * tanSx) + PinnedMath.cosine(r);
    double centerX = (width - 1) * 0.5;
    double centerY = (height - 1) * 0.5;
    double fromX = column - centerX - shiftX;
    double fromY = row - centerY - shiftY;
    xx = (float) (d / s);
    xy = (float) (-b / s);
    x0 = (float) (d / s * fromX + -b / s * fromY + (centerX + 1));
    yx = (float) (-c / s);
    yy = (float) (a / s);
    y0 = (float) (-c / s * fromX + a / s * fromY + (centerY + 1));
  }

  private void drawRectangle(int epoch, int sample) {
    for (int k = 0; k < TRIES; k++) {
      block(FIRST_TRY + k, epoch, sample);
      double erased = area.at(words[0]);
      double ratio = PinnedMath.exponential(logRatio.at(words[1]));
      double h = Math.rint(Math.sqrt(erased * ratio));
      double w = Math.rint(Math.sqrt(erased / ratio));
      if (h < height && w < width) {
        rows = (int) h;
        columns = (int) w;
        top = below(height - rows + 1, words[2]);
        left = below(width - columns + 1, words[3]);
        return;
      }
    }
  }

  private void block(int block, int epoch, int sample) {
    Philox.block(seed, block, sample, epoch, Philox.Purpose.AUGMENT.ordinal(), words);
  }

  private static double unit(int word) {
    return (word & 0xFFFFFFFFL) * TWO_POW_MINUS_32;
  }

  private static int below(int n, int word) {
    return (int) ((word & 0xFFFFFFFFL) * n >>> 32);
  }

  /**
   * The map: output pixel (x, y), displaced to (x + dx, y + dy), shows the image at column {@code
   * xx (x + dx) + (xy (y + dy) + x0)} and row {@code yx (x + dx) + (yy (y + dy) + y0)}, counted
   * from one pixel before the image's first.
   */
  public float xx() {
    return xx;
  }

  /** Of {@link #xx the map}. */
  public float xy() {
    return xy;
  }

  /** Of {@link #xx the map}. */
  public float x0() {
    return x0;
  }

  /** Of {@link #xx the map}. */
  public float yx() {
    return yx;
  }

  /** Of {@link #xx the map}. */
  public float yy() {
    return yy;
  }

  /** Of {@link #xx the map}. */
  public float y0() {
    return y0;
  }

  /** The first row to erase. */
  public int top() {
    return top;
  }

  /** The first column to erase. */
  public int left() {
    return left;
  }

  /** How many rows are erased; 0 for none. */
  public int rows() {
    return rows;
  }

  /** How many columns are erased. */
  public int columns() {
    return columns;
  }
}
