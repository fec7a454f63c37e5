package convtrain.peers;

import convtrain.backend.Samples;
import java.io.DataInputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * The training part of MNIST as its raw IDX files hold it.
 *
 * @param images [count, 28, 28], one byte a pixel
 * @param labels [count], 0 to 9
 * @param count number of images
 */
record Mnist(byte[] images, byte[] labels, int count) implements Samples {
  private static final int SIDE = 28;

  /** Pixels of one image. */
  static final int PIXELS = SIDE * SIDE;

  /** Mean of all pixels, scaled to 0..1. */
  static final double MEAN = 0.1307;

  /** Standard deviation of all pixels, scaled to 0..1. */
  static final double STD = 0.3081;

  /** Reads {@code train-images-idx3-ubyte} and {@code train-labels-idx1-ubyte}. */
  static Mnist read(Path directory) throws IOException {
    byte[] images = body(directory.resolve("train-images-idx3-ubyte"), 0x803, SIDE, SIDE);
    byte[] labels = body(directory.resolve("train-labels-idx1-ubyte"), 0x801);
    if (images.length != (long) labels.length * PIXELS) {
      throw new IOException(
          "%s: %d images but %d labels"
              .formatted(directory, images.length / PIXELS, labels.length));
    }
    return new Mnist(images, labels, labels.length);
  }

  @Override
  public void copyImage(int index, ByteBuffer into) {
    into.put(images, index * PIXELS, PIXELS);
  }

  @Override
  public int label(int index) {
    return labels[index];
  }

  /** The bytes behind an IDX header: magic number, count, then the dimensions of one item. */
  private static byte[] body(Path file, int magic, int... dims) throws IOException {
    try (DataInputStream in = new DataInputStream(Files.newInputStream(file))) {
      int found = in.readInt();
      if (found != magic) {
        throw new IOException(
            "%s: starts with 0x%08x; expected 0x%08x, an unpacked IDX file"
                .formatted(file, found, magic));
      }
      int bytes = in.readInt();
      for (int expected : dims) {
        int dim = in.readInt();
        if (dim != expected) {
          throw new IOException("%s: side of %d; expected %d".formatted(file, dim, expected));
        }
        bytes = Math.multiplyExact(bytes, dim);
      }
      byte[] body = in.readNBytes(bytes);
      if (body.length != bytes) {
        throw new IOException(
            "%s: ends after %d of %d bytes; fetch it again".formatted(file, body.length, bytes));
      }
      return body;
    }
  }
}
