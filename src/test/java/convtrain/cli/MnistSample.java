package convtrain.cli;

import convtrain.data.Dataset;
import convtrain.data.IdxFile;
import convtrain.data.IdxHeader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URISyntaxException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Data folders cut from the first 2,528 training images of MNIST. */
final class MnistSample {
  private static final int SIDE = 28;
  private static final Dataset ALL =
      Dataset.read(
          resource("/golden/train-images-idx3-ubyte.gz"),
          resource("/golden/train-labels-idx1-ubyte.gz"),
          ByteBuffer::allocate);

  private MnistSample() {}

  /** A folder whose test samples follow its training samples. */
  static Path folder(Path dir, int train, int test) {
    try {
      Files.createDirectories(dir);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    write(dir, "train", 0, train);
    write(dir, "t10k", train, test);
    return dir;
  }

  private static void write(Path dir, String name, int first, int count) {
    ByteBuffer images = ByteBuffer.allocate(count * SIDE * SIDE);
    ByteBuffer labels = ByteBuffer.allocate(count);
    for (int i = first; i < first + count; i++) {
      ALL.copyImage(i, images);
      labels.put((byte) ALL.label(i));
    }
    IdxFile.write(
        dir.resolve(name + "-images-idx3-ubyte"),
        IdxHeader.of(IdxHeader.Type.UBYTE, count, SIDE, SIDE),
        List.of(images.flip()));
    IdxFile.write(
        dir.resolve(name + "-labels-idx1-ubyte"),
        IdxHeader.of(IdxHeader.Type.UBYTE, count),
        List.of(labels.flip()));
  }

  /** The bytes of training image {@code i}. */
  static byte[] image(int i) {
    byte[] image = new byte[SIDE * SIDE];
    ALL.copyImage(i, ByteBuffer.wrap(image));
    return image;
  }

  private static Path resource(String name) {
    try {
      return Path.of(MnistSample.class.getResource(name).toURI());
    } catch (URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }
}
