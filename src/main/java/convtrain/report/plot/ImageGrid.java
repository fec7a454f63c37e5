package convtrain.report.plot;

import convtrain.files.AtomicFile;
import convtrain.graph.Shape;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;

/** Small images in rows and columns, as one picture, each pixel a square of several. */
public final class ImageGrid {
  private static final int BACKGROUND = 0x3A4A6B;
  private static final int WANTED_WIDTH = 1200;
  private static final int LARGEST_ZOOM = 8;
  private static final int GAP = 2;

  /** Between the first column and the others. */
  private static final int WIDE_GAP = 14;

  private final Shape image;
  private final int rows;
  private final int zoom;
  private final BufferedImage picture;

  /**
   * @param image shape of each; of channels other than 1 and 3 the first is shown
   */
  public ImageGrid(Shape image, int rows, int columns) {
    this.image = image;
    this.rows = rows;
    zoom = Math.max(1, Math.min(LARGEST_ZOOM, WANTED_WIDTH / (columns * image.width())));
    picture =
        new BufferedImage(
            left(columns), GAP + rows * (image.height() * zoom + GAP), BufferedImage.TYPE_INT_RGB);
    for (int y = 0; y < picture.getHeight(); y++) {
      for (int x = 0; x < picture.getWidth(); x++) {
        picture.setRGB(x, y, BACKGROUND);
      }
    }
  }

  private int left(int column) {
    return GAP + column * (image.width() * zoom + GAP) + (column > 0 ? WIDE_GAP : 0);
  }

  /**
   * Fills a column.
   *
   * @param images bytes [H, W, C], one for each row
   */
  public void column(int column, byte[][] images) {
    int side = image.height() * zoom + GAP;
    for (int row = 0; row < rows; row++) {
      for (int y = 0; y < image.height() * zoom; y++) {
        for (int x = 0; x < image.width() * zoom; x++) {
          int colour = colour(images[row], (y / zoom * image.width() + x / zoom));
          picture.setRGB(left(column) + x, GAP + row * side + y, colour);
        }
      }
    }
  }

  private int colour(byte[] bytes, int place) {
    int channels = image.channels();
    int red = bytes[place * channels] & 0xFF;
    int green = channels == 3 ? bytes[place * channels + 1] & 0xFF : red;
    int blue = channels == 3 ? bytes[place * channels + 2] & 0xFF : red;
    return red << 16 | green << 8 | blue;
  }

  /** {@code 1213 x 930}. */
  public String size() {
    return picture.getWidth() + " x " + picture.getHeight();
  }

  /** Writes a PNG file. */
  public void write(Path file) throws IOException {
    AtomicFile.write(file, Drawing.encode(picture));
  }
}
