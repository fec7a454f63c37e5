package convtrain.data;

import convtrain.graph.Shape;
import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.Raster;
import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * A decoded picture [C, H, W], values 0 to 255.
 *
 * @param planes per channel, H * W values row by row
 */
record Pixels(int height, int width, float[][] planes) {
  /** Grey if {@code channels} is 1, else red, green and blue; transparency lies on white. */
  static Pixels of(BufferedImage image, int channels) {
    int h = image.getHeight();
    int w = image.getWidth();
    float[][] planes = new float[channels][h * w];
    boolean grey = image.getColorModel().getColorSpace().getType() == ColorSpace.TYPE_GRAY;
    float[][] row = new float[3][w];
    for (int y = 0; y < h; y++) {
      if (grey) {
        greyRow(image, y, row);
      } else {
        rgbRow(image, y, row);
      }
      for (int c = 0; c < channels; c++) {
        for (int x = 0; x < w; x++) {
          planes[c][y * w + x] = channels == 1 ? luminance(row, x) : row[c][x];
        }
      }
    }
    return new Pixels(h, w, planes);
  }

  /**
   * From bytes [C, H, W] at the buffer's position.
   *
   * @param channels wanted: one is spread to several, three become grey, else as they are
   */
  static Pixels of(ByteBuffer bytes, Shape shape, int channels) {
    int area = shape.height() * shape.width();
    float[][] found = new float[shape.channels()][area];
    for (float[] plane : found) {
      for (int i = 0; i < area; i++) {
        plane[i] = bytes.get() & 0xFF;
      }
    }
    float[][] planes = found;
    if (found.length == 1 && channels > 1) {
      planes = new float[channels][];
      Arrays.fill(planes, found[0]);
    } else if (found.length == 3 && channels == 1) {
      planes = new float[1][area];
      for (int i = 0; i < area; i++) {
        planes[0][i] = luminance(found, i);
      }
    }
    return new Pixels(shape.height(), shape.width(), planes);
  }

  /** Whether the border's median is brighter than the mean of the middle half: ink on paper. */
  boolean darkOnLight() {
    double middle = 0;
    int count = 0;
    for (int y = height / 4; y < height - height / 4; y++) {
      for (int x = width / 4; x < width - width / 4; x++) {
        for (float[] plane : planes) {
          middle += plane[y * width + x];
          count++;
        }
      }
    }
    double border = 0;
    for (float[] plane : planes) {
      border += borderMedian(plane);
    }
    return border / planes.length > middle / count;
  }

  Pixels inverted() {
    float[][] out = new float[planes.length][height * width];
    for (int c = 0; c < out.length; c++) {
      for (int i = 0; i < out[c].length; i++) {
        out[c][i] = 255 - planes[c][i];
      }
    }
    return new Pixels(height, width, out);
  }

  /** Resampled if the size differs, and rounded to bytes [C, H, W]. */
  byte[] fit(int outHeight, int outWidth) {
    byte[] out = new byte[planes.length * outHeight * outWidth];
    int at = 0;
    for (float[] plane : planes) {
      float[] fitted =
          height == outHeight && width == outWidth
              ? plane
              : Resampler.fit(plane, height, width, outHeight, outWidth, borderMedian(plane));
      for (float value : fitted) {
        out[at++] = (byte) Math.round(Math.min(Math.max(value, 0), 255));
      }
    }
    return out;
  }

  private float borderMedian(float[] plane) {
    float[] border = new float[2 * (height + width)];
    int n = 0;
    for (int x = 0; x < width; x++) {
      border[n++] = plane[x];
      border[n++] = plane[(height - 1) * width + x];
    }
    for (int y = 0; y < height; y++) {
      border[n++] = plane[y * width];
      border[n++] = plane[y * width + width - 1];
    }
    Arrays.sort(border);
    return border[n / 2];
  }

  /** ITU-R BT.601 weights. */
  private static float luminance(float[][] rgb, int i) {
    return 0.299f * rgb[0][i] + 0.587f * rgb[1][i] + 0.114f * rgb[2][i];
  }

  /** Reads stored values: getRGB would take grey for linear light and brighten it. */
  private static void greyRow(BufferedImage image, int y, float[][] row) {
    Raster raster = image.getRaster();
    float white = (1 << image.getColorModel().getComponentSize(0)) - 1;
    boolean alpha = image.getColorModel().hasAlpha();
    for (int x = 0; x < image.getWidth(); x++) {
      float value = 255 * raster.getSample(x, y, 0) / white;
      float opacity = alpha ? raster.getSample(x, y, 1) / white : 1;
      row[0][x] = row[1][x] = row[2][x] = onWhite(value, opacity);
    }
  }

  private static void rgbRow(BufferedImage image, int y, float[][] row) {
    for (int x = 0; x < image.getWidth(); x++) {
      int argb = image.getRGB(x, y);
      float opacity = (argb >>> 24) / 255f;
      for (int c = 0; c < 3; c++) {
        row[c][x] = onWhite(argb >> 16 - 8 * c & 0xFF, opacity);
      }
    }
  }

  private static float onWhite(float value, float opacity) {
    return value * opacity + 255 * (1 - opacity);
  }
}
