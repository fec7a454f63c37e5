package convtrain.data;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.zip.GZIPOutputStream;

/** Writes the small files that the tests read. */
final class Idx {
  private Idx() {}

  /** Images whose bytes follow from their index, see {@link #pixel}. */
  static Path images(Path path, Integer... dims) {
    IdxHeader header = IdxHeader.of(IdxHeader.Type.UBYTE, dims);
    int bytes = (int) header.sampleBytes();
    ByteBuffer data = ByteBuffer.allocate((int) header.dataBytes());
    while (data.hasRemaining()) {
      data.put(pixel(data.position() / bytes, data.position() % bytes));
    }
    IdxFile.write(path, header, List.of(data.flip()));
    return path;
  }

  /** Byte {@code at} of image {@code i}: the index in the first two, then a mix of both. */
  static byte pixel(int i, int at) {
    return (byte) (at == 0 ? i : at == 1 ? i >> 8 : 31 * i + 7 * at);
  }

  static Path labels(Path path, int... labels) {
    ByteBuffer data = ByteBuffer.allocate(labels.length);
    for (int label : labels) {
      data.put((byte) label);
    }
    IdxFile.write(path, IdxHeader.of(IdxHeader.Type.UBYTE, labels.length), List.of(data.flip()));
    return path;
  }

  /** A data set of 3 x 2 images, its files deleted once read. */
  static Dataset dataset(int[] labels) {
    try {
      Path dir = Files.createTempDirectory("dataset");
      Path images = images(dir.resolve("images"), labels.length, 3, 2);
      Path classes = labels(dir.resolve("labels"), labels);
      Dataset data = Dataset.read(images, classes, ByteBuffer::allocateDirect, 6 * 7);
      Files.delete(images);
      Files.delete(classes);
      Files.delete(dir);
      return data;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  static int[] randomLabels(int size, int classes, long seed) {
    return new Random(seed).ints(size, 0, classes).toArray();
  }

  /** The index that {@link #images} wrote into an image. */
  static int index(Dataset data, int i) {
    ByteBuffer image = ByteBuffer.allocate(data.shape().elements());
    data.copyImage(i, image);
    return image.get(0) & 0xFF | (image.get(1) & 0xFF) << 8;
  }

  /** A file's bytes: the magic number's type and rank, dimensions, then data. */
  static byte[] raw(int type, int rank, int[] dims, int dataBytes) {
    ByteBuffer out = ByteBuffer.allocate(4 + 4 * dims.length + dataBytes);
    out.put((byte) 0).put((byte) 0).put((byte) type).put((byte) rank);
    for (int dim : dims) {
      out.putInt(dim);
    }
    return out.array();
  }

  static byte[] gzip(byte[] bytes) {
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
      gzip.write(bytes);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return out.toByteArray();
  }
}
