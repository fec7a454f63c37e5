package convtrain.graph;

/**
 * How much of which image a batch mixes. The contract, equal to the bit on every backend
 * (kernels/mix.cu computes the same): with w0, w1, w2 the first words of the Philox block (batch
 * low, batch high, 0, MIX) under the run's seed, batches counted by the run's clock, and q[i] the
 * quantile i / 1024 of Beta(alpha, alpha) as a float (the first and last: 2^-14, 1 - 2^-14),
 *
 * <pre>
 * i = w0 / 2^22,  f = (w0 mod 2^22) / 2^22,  lambda = q[i] + f (q[i + 1] - q[i])
 * CutMix: r = sqrt(1 - lambda) / 2; columns floor(W w1 / 2^32) -+ floor(r W), rows floor(H w2 / 2^32) -+
 * floor(r H), within the image; lambda = (H W - their area) / (H W)
 * </pre>
 *
 * in floats, every operation rounded on its own. Not for several threads; a draw allocates nothing.
 */
public final class MixDraw {
  private static final int INTERVALS = 1024;
  private static final int FRACTION_BITS = 22;

  private final boolean cuts;
  private final int height;
  private final int width;
  private final long seed;
  private final float[] quantiles;
  private final int[] words = new int[4];
  private float lambda;
  private int left;
  private int top;
  private int right;
  private int bottom;

  /**
   * @param image the samples' shape
   * @param seed the run's seed
   */
  public MixDraw(MixSpec spec, Shape image, long seed) {
    this.cuts = spec instanceof MixSpec.Cutmix;
    this.height = image.height();
    this.width = image.width();
    this.seed = seed;
    quantiles = quantiles(spec);
  }

  /** The quantiles of lambda before anything is cut: 1,025 values. */
  public static float[] quantiles(MixSpec spec) {
    double[] exact = Beta.quantiles(spec.alpha(), INTERVALS);
    float[] quantiles = new float[exact.length];
    for (int i = 0; i < exact.length; i++) {
      quantiles[i] = (float) exact[i];
    }
    return quantiles;
  }

  /**
   * Draws for a batch.
   *
   * @param batch how many were trained on before it
   */
  public void draw(long batch) {
    Philox.block(seed, (int) batch, (int) (batch >>> 32), 0, Philox.Purpose.MIX.ordinal(), words);
    int i = words[0] >>> FRACTION_BITS;
    float f = (words[0] & (1 << FRACTION_BITS) - 1) * 0x1p-22f;
    lambda = quantiles[i] + f * (quantiles[i + 1] - quantiles[i]);
    if (cuts) {
      cut();
    }
  }

  private void cut() {
    float r = (float) Math.sqrt(1 - lambda) * 0.5f;
    int column = (int) ((words[1] & 0xFFFFFFFFL) * width >>> 32);
    int row = (int) ((words[2] & 0xFFFFFFFFL) * height >>> 32);
    int halfWidth = (int) (r * width);
    int halfHeight = (int) (r * height);
    left = Math.max(0, column - halfWidth);
    right = Math.min(width, column + halfWidth);
    top = Math.max(0, row - halfHeight);
    bottom = Math.min(height, row + halfHeight);
    int all = height * width;
    lambda = (float) (all - (right - left) * (bottom - top)) / all;
  }

  /** The share of a sample that stays. */
  public float lambda() {
    return lambda;
  }

  /** The first column that is the other image's; 0 where nothing is cut. */
  public int left() {
    return left;
  }

  /** The first row that is the other image's. */
  public int top() {
    return top;
  }

  /** The column behind the last that is the other image's. */
  public int right() {
    return right;
  }

  /** The row behind the last that is the other image's. */
  public int bottom() {
    return bottom;
  }
}
