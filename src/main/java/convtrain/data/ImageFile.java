package convtrain.data;

import convtrain.graph.Shape;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;

/** Reads pictures to classify: PNG, JPEG, BMP, GIF or TIFF, or every image of an IDX file. */
public final class ImageFile {
  /** Most pixels of a picture, so that a small file cannot ask for all memory. */
  private static final long MAX_PIXELS = 50_000_000;

  private static final int GZIP_MAGIC = 0x1F8B;
  private static final int IDX_MAGIC = 0;

  private ImageFile() {}

  /**
   * A picture as the network takes it.
   *
   * @param source the file, with the image's index in it if the file is IDX
   * @param pixels bytes [C, H, W] of the wanted shape
   * @param scaled whether its size was changed
   * @param inverted whether it was dark on light and was turned
   */
  public record Picture(String source, byte[] pixels, boolean scaled, boolean inverted) {}

  /**
   * Reads a file.
   *
   * @param wanted the network's input [C, H, W]
   * @param lightOnDark whether the network's data is light on dark as MNIST is, so that a picture
   *     that is dark on light is turned; an IDX file is taken as it is
   */
  public static List<Picture> read(Path file, Shape wanted, boolean lightOnDark) {
    if (Files.isDirectory(file)) {
      throw new DataException(file + ": is a folder; expected a picture or an IDX file");
    }
    try {
      int magic = IdxInput.firstTwoBytes(file);
      return magic == GZIP_MAGIC || magic == IDX_MAGIC
          ? fromIdx(file, wanted)
          : List.of(fromPicture(file, wanted, lightOnDark));
    } catch (IOException e) {
      throw IdxInput.failure(file, e);
    }
  }

  private static List<Picture> fromIdx(Path file, Shape wanted) {
    Shape found = Dataset.imageShape(file, IdxFile.readHeader(file));
    boolean convertible = wanted.channels() == 1 && found.channels() == 3 || found.channels() == 1;
    if (found.channels() != wanted.channels() && !convertible) {
      throw new DataException(
          "%s: images %s have %d channels; expected %d"
              .formatted(file, found, found.channels(), wanted.channels()));
    }
    IdxFile idx = IdxFile.read(file, ByteBuffer::allocate);
    List<Picture> pictures = new ArrayList<>(idx.header().samples());
    for (ByteBuffer chunk : idx.chunks()) {
      ByteBuffer bytes = chunk.duplicate();
      while (bytes.hasRemaining()) {
        String source = file + "[" + pictures.size() + "]";
        Pixels pixels = Pixels.of(bytes, found, wanted.channels());
        pictures.add(fit(source, pixels, wanted, false));
      }
    }
    return pictures;
  }

  private static Picture fromPicture(Path file, Shape wanted, boolean lightOnDark)
      throws IOException {
    if (wanted.channels() != 1 && wanted.channels() != 3) {
      throw new DataException(
          "%s: a picture has 1 or 3 channels; the network expects %d: give an IDX file"
              .formatted(file, wanted.channels()));
    }
    Pixels pixels = Pixels.of(decode(file), wanted.channels());
    boolean invert = lightOnDark && pixels.darkOnLight();
    return fit(file.toString(), invert ? pixels.inverted() : pixels, wanted, invert);
  }

  private static Picture fit(String source, Pixels pixels, Shape wanted, boolean inverted) {
    boolean scaled = pixels.height() != wanted.height() || pixels.width() != wanted.width();
    return new Picture(source, pixels.fit(wanted.height(), wanted.width()), scaled, inverted);
  }

  private static BufferedImage decode(Path file) throws IOException {
    if (!Files.isReadable(file)) {
      throw new DataException(file + ": cannot be read: permission denied");
    }
    try (ImageInputStream in = ImageIO.createImageInputStream(file.toFile())) {
      Iterator<ImageReader> readers = ImageIO.getImageReaders(in);
      if (!readers.hasNext()) {
        throw new DataException(
            file + ": not a picture; expected PNG, JPEG, BMP, GIF or TIFF, or an IDX file");
      }
      ImageReader reader = readers.next();
      try {
        reader.setInput(in);
        long pixels = Math.multiplyExact((long) reader.getWidth(0), reader.getHeight(0));
        if (pixels > MAX_PIXELS) {
          throw new DataException(
              "%s: has %d x %d pixels; expected at most %d million: scale it down first"
                  .formatted(
                      file, reader.getWidth(0), reader.getHeight(0), MAX_PIXELS / 1_000_000));
        }
        return reader.read(0);
      } finally {
        reader.dispose();
      }
    } catch (DataException e) {
      throw e;
    } catch (IOException | RuntimeException e) {
      // the JDK's decoders let some damaged files through to unchecked exceptions
      throw new DataException(
          "%s: damaged picture: %s; bring it again from where it came, or save it anew as PNG"
              .formatted(file, e.getMessage()),
          e);
    }
  }
}
