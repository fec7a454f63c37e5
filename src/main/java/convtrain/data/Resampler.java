package convtrain.data;

import java.util.Arrays;

/** Brings a picture to another size: area averaging down, bilinear interpolation up. */
final class Resampler {
  private Resampler() {}

  /**
   * Fits a plane [h, w] into [outH, outW], keeping its aspect ratio and centring it.
   *
   * @param fill what surrounds it
   */
  static float[] fit(float[] plane, int h, int w, int outH, int outW, float fill) {
    double scale = Math.min((double) outH / h, (double) outW / w);
    int innerH = Math.max(1, (int) Math.round(h * scale));
    int innerW = Math.max(1, (int) Math.round(w * scale));
    float[] narrow = new float[h * innerW];
    for (int y = 0; y < h; y++) {
      line(plane, y * w, 1, w, narrow, y * innerW, 1, innerW);
    }
    float[] inner = new float[innerH * innerW];
    for (int x = 0; x < innerW; x++) {
      line(narrow, x, innerW, h, inner, x, innerW, innerH);
    }
    float[] out = new float[outH * outW];
    Arrays.fill(out, fill);
    int top = (outH - innerH) / 2;
    int left = (outW - innerW) / 2;
    for (int y = 0; y < innerH; y++) {
      System.arraycopy(inner, y * innerW, out, (top + y) * outW + left, innerW);
    }
    return out;
  }

  /** Resamples one row or column of {@code n} values to {@code m} values. */
  private static void line(
      float[] in, int inStart, int inStep, int n, float[] out, int outStart, int outStep, int m) {
    for (int i = 0; i < m; i++) {
      out[outStart + i * outStep] =
          m < n ? mean(in, inStart, inStep, n, i, m) : between(in, inStart, inStep, n, i, m);
    }
  }

  /** Mean over [i n / m, (i + 1) n / m), pixels cut by its ends counted in part. */
  private static float mean(float[] in, int start, int step, int n, int i, int m) {
    double low = (double) i * n / m;
    double high = Math.min(n, (i + 1.0) * n / m);
    double sum = 0;
    for (int j = (int) low; j < high; j++) {
      sum += in[start + j * step] * (Math.min(high, j + 1.0) - Math.max(low, j));
    }
    return (float) (sum / (high - low));
  }

  /** Linear between the two nearest pixel centres; the outermost pixels continue outside. */
  private static float between(float[] in, int start, int step, int n, int i, int m) {
    double at = Math.min(Math.max((i + 0.5) * n / m - 0.5, 0), n - 1.0);
    int j = (int) at;
    float left = in[start + j * step];
    float right = in[start + Math.min(j + 1, n - 1) * step];
    return (float) (left + (at - j) * (right - left));
  }
}
