package convtrain.testing;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.zip.GZIPInputStream;

/** The first images of MNIST's training set, in file order. */
public final class MnistSample {
  public static final int IMAGES = 2528;
  public static final int PIXELS = 784;

  private static final int IMAGES_HEADER = 16;
  private static final int LABELS_HEADER = 8;

  private final byte[] images = unzipped("train-images-idx3-ubyte.gz");
  private final byte[] labels = unzipped("train-labels-idx1-ubyte.gz");

  /** Puts {@code n} images and their labels, from the {@code first} on, into a step's batch. */
  public void copy(int first, int n, ByteBuffer intoImages, ByteBuffer intoLabels) {
    intoImages.put(0, images, IMAGES_HEADER + first * PIXELS, n * PIXELS);
    for (int i = 0; i < n; i++) {
      intoLabels.putInt(i * Integer.BYTES, labels[LABELS_HEADER + first + i]);
    }
  }

  private static byte[] unzipped(String file) {
    try (GZIPInputStream in = new GZIPInputStream(new ByteArrayInputStream(Golden.bytes(file)))) {
      byte[] bytes = in.readAllBytes();
      int expected =
          file.contains("images") ? IMAGES_HEADER + IMAGES * PIXELS : LABELS_HEADER + IMAGES;
      if (bytes.length != expected) {
        throw new IllegalStateException(
            "%s: %d bytes, expected %d".formatted(file, bytes.length, expected));
      }
      return bytes;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The labels as they stand in the file. */
  public int[] labels(int first, int n) {
    int[] classes = new int[n];
    Arrays.setAll(classes, i -> labels[LABELS_HEADER + first + i]);
    return classes;
  }
}
