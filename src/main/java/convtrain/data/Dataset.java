package convtrain.data;

import convtrain.graph.Shape;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.IntStream;

/**
 * Images as bytes [N, C, H, W] with one label each, held in memory; views share the bytes.
 *
 * <p>{@link #copyImage} and {@link #label} allocate nothing and may be called from any thread.
 */
public final class Dataset {
  private static final int LABELS_RANK = 1;

  private final Path imagesFile;
  private final Path labelsFile;
  private final Shape shape;
  private final ByteBuffer[] chunks;
  private final int samplesPerChunk;
  private final int[] labels;
  private final int[] indices;

  /**
   * @param labels one per sample of the files
   * @param indices the files' samples that this view holds, in order
   */
  private Dataset(
      Path imagesFile,
      Path labelsFile,
      Shape shape,
      ByteBuffer[] chunks,
      int samplesPerChunk,
      int[] labels,
      int[] indices) {
    this.imagesFile = imagesFile;
    this.labelsFile = labelsFile;
    this.shape = shape;
    this.chunks = chunks;
    this.samplesPerChunk = samplesPerChunk;
    this.labels = labels;
    this.indices = indices;
  }

  /**
   * Reads a pair of IDX files.
   *
   * @param images unsigned bytes [N, H, W] (one channel) or [N, C, H, W]
   * @param labels [N] of an integer type
   * @param memory makes a buffer for image bytes, such as memory a device copies from fast
   */
  public static Dataset read(Path images, Path labels, IntFunction<ByteBuffer> memory) {
    return read(images, labels, memory, IdxFile.CHUNK_BYTES);
  }

  static Dataset read(Path images, Path labels, IntFunction<ByteBuffer> memory, int chunkBytes) {
    IdxHeader imagesHeader = IdxFile.readHeader(images);
    IdxHeader labelsHeader = IdxFile.readHeader(labels);
    if (imagesHeader.rank() == LABELS_RANK && labelsHeader.rank() > LABELS_RANK) {
      throw new DataException(
          "%s and %s are swapped: the first holds labels %s, the second images %s; exchange them"
              .formatted(images, labels, imagesHeader, labelsHeader));
    }
    Shape shape = imageShape(images, imagesHeader);
    checkLabels(labels, labelsHeader);
    if (imagesHeader.samples() != labelsHeader.samples()) {
      throw new DataException(
          "%s has %d images and %s has %d labels; expected as many of each: use two files of one set"
              .formatted(images, imagesHeader.samples(), labels, labelsHeader.samples()));
    }
    int[] classes = readLabels(labels);
    IdxFile pixels = IdxFile.read(images, memory, chunkBytes);
    return new Dataset(
        images,
        labels,
        shape,
        pixels.chunks().toArray(ByteBuffer[]::new),
        pixels.samplesPerChunk(),
        classes,
        IntStream.range(0, classes.length).toArray());
  }

  /** The shape of one image of an IDX file; anything but byte images is an error. */
  static Shape imageShape(Path path, IdxHeader header) {
    if (header.rank() == LABELS_RANK) {
      throw new DataException(
          "%s: holds labels %s, expected images; give the images file".formatted(path, header));
    }
    if (header.type() != IdxHeader.Type.UBYTE || header.rank() < 3 || header.rank() > 4) {
      throw new DataException(
          "%s: found %s, expected images as ubyte [N, H, W] or [N, C, H, W]"
              .formatted(path, header));
    }
    List<Integer> dims = header.dims();
    int channels = header.rank() == 3 ? 1 : dims.get(1);
    try {
      return Shape.image(channels, dims.get(header.rank() - 2), dims.get(header.rank() - 1));
    } catch (IllegalArgumentException e) {
      throw new DataException("%s: %s: %s".formatted(path, header, e.getMessage()), e);
    }
  }

  private static void checkLabels(Path path, IdxHeader header) {
    if (header.rank() != LABELS_RANK) {
      throw new DataException(
          "%s: found %s, expected labels [N]; give the labels file".formatted(path, header));
    }
    if (header.type() == IdxHeader.Type.FLOAT || header.type() == IdxHeader.Type.DOUBLE) {
      throw new DataException(
          "%s: found labels %s, expected an integer type".formatted(path, header));
    }
  }

  private static int[] readLabels(Path path) {
    IdxFile file = IdxFile.read(path, ByteBuffer::allocate);
    int[] labels = new int[file.header().samples()];
    for (int i = 0; i < labels.length; i++) {
      labels[i] = (int) file.value(i);
      if (labels[i] < 0) {
        throw new DataException(
            "%s: label %d at index %d; expected 0 or above".formatted(path, labels[i], i));
      }
    }
    return labels;
  }

  /** Samples in this view. */
  public int size() {
    return indices.length;
  }

  /** [C, H, W] of every image. */
  public Shape shape() {
    return shape;
  }

  /** The images file and the labels file. */
  public List<Path> files() {
    return List.of(imagesFile, labelsFile);
  }

  /** The class of sample {@code i}. */
  public int label(int i) {
    return labels[indices[i]];
  }

  /** Copies the C * H * W bytes of sample {@code i} to the buffer's position, which advances. */
  public void copyImage(int i, ByteBuffer into) {
    int bytes = shape.elements();
    int sample = indices[i];
    ByteBuffer chunk = chunks[sample / samplesPerChunk];
    int at = into.position();
    into.put(at, chunk, sample % samplesPerChunk * bytes, bytes);
    into.position(at + bytes);
  }

  /** Fails if a label of this view is not a class of a network that tells {@code classes} apart. */
  public void checkClasses(int classes) {
    for (int i = 0; i < size(); i++) {
      if (label(i) >= classes) {
        throw new DataException(
            "%s: label %d at index %d; expected 0 to %d, the classes of the network: change the network's outputs or the data"
                .formatted(labelsFile, label(i), indices[i], classes - 1));
      }
    }
  }

  /** A view of the given samples of this view, in the given order. */
  public Dataset subset(int[] samples) {
    int[] chosen = Arrays.stream(samples).map(i -> indices[i]).toArray();
    return new Dataset(imagesFile, labelsFile, shape, chunks, samplesPerChunk, labels, chosen);
  }

  /** A view of the first {@code n} samples, or of all if there are fewer. */
  public Dataset limit(int n) {
    if (n < 1) {
      throw new IllegalArgumentException("limit=" + n + "; expected at least 1");
    }
    return n >= size() ? this : subset(IntStream.range(0, n).toArray());
  }

  @Override
  public String toString() {
    return imagesFile + ": " + size() + " images " + shape;
  }
}
