package convtrain.train;

import convtrain.files.AtomicFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Named tensors in the safetensors format: the header's length (8 bytes, little-endian), the JSON
 * header, then every tensor's values, little-endian and row-major, one after the other.
 *
 * @param metadata free texts kept in the header
 * @param tensors by name
 */
public record SafeTensors(Map<String, String> metadata, SortedMap<String, Tensor> tensors) {
  /** The longest header read, about 100,000 tensors: a bound on what a false one can cost. */
  private static final long MAX_HEADER_BYTES = 16 << 20;

  private static final int CHUNK_BYTES = 1 << 16;

  /**
   * @param dims row-major dimensions; none for a single value
   * @param values one per element; not copied
   */
  public record Tensor(List<Integer> dims, float[] values) {
    public Tensor {
      dims = List.copyOf(dims);
      long elements = 1;
      for (int dim : dims) {
        if (dim < 0) {
          throw new IllegalArgumentException("a tensor cannot have the shape " + dims);
        }
        elements = Math.multiplyExact(elements, (long) dim);
      }
      if (elements != values.length) {
        throw new IllegalArgumentException(
            "a tensor of shape %s cannot hold %d values".formatted(dims, values.length));
      }
    }
  }

  public SafeTensors {
    metadata = Collections.unmodifiableMap(new TreeMap<>(metadata));
    tensors = Collections.unmodifiableSortedMap(new TreeMap<>(tensors));
    if (tensors.containsKey("__metadata__")) {
      throw new IllegalArgumentException("__metadata__ cannot name a tensor");
    }
  }

  /** Writes the tensors as F32, sorted by name, whole or not at all. */
  public void write(Path file) throws IOException {
    byte[] header = SafeTensorsHeader.toBytes(metadata, tensors);
    AtomicFile.write(
        file,
        out -> {
          ByteBuffer chunk = ByteBuffer.allocate(CHUNK_BYTES).order(ByteOrder.LITTLE_ENDIAN);
          AtomicFile.writeAll(out, chunk.putLong(header.length).flip());
          AtomicFile.writeAll(out, ByteBuffer.wrap(header));
          for (Tensor tensor : tensors.values()) {
            writeValues(out, chunk, tensor.values());
          }
        });
  }

  /**
   * Reads a file of F32, F64, F16, BF16 or I64 tensors, each value rounded to the nearest float.
   *
   * @throws SafeTensorsException if there is no such file, it is malformed or does not fit the
   *     memory, found before any tensor is read
   */
  public static SafeTensors read(Path file) throws IOException {
    if (Files.isDirectory(file)) {
      throw new SafeTensorsException(file, "is a folder; expected a safetensors file", null);
    }
    try (FileChannel in = FileChannel.open(file)) {
      SafeTensorsHeader header = readHeader(in);
      SortedMap<String, Tensor> tensors = new TreeMap<>();
      for (SafeTensorsHeader.Entry entry : header.entries()) {
        tensors.put(entry.name(), new Tensor(entry.dims(), readValues(in, entry)));
      }
      return new SafeTensors(header.metadata(), tensors);
    } catch (NoSuchFileException e) {
      throw new SafeTensorsException(file, "there is no such file", e);
    } catch (AccessDeniedException e) {
      throw new SafeTensorsException(file, "may not be read", e);
    } catch (IllegalArgumentException e) {
      throw new SafeTensorsException(file, e.getMessage(), e);
    }
  }

  /** Leaves the channel at the first tensor's first byte. */
  private static SafeTensorsHeader readHeader(FileChannel in) throws IOException {
    long dataAndHeader = in.size() - Long.BYTES;
    if (dataAndHeader < 0) {
      throw new IllegalArgumentException(
          "its %d bytes are too few for a safetensors file".formatted(in.size()));
    }
    ByteBuffer length = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
    readFully(in, length);
    long headerBytes = length.getLong();
    if (headerBytes < 0 || headerBytes > dataAndHeader) {
      checkKnown(length.array());
      throw new IllegalArgumentException(
          "it claims a header of %s bytes, %d follow; it was cut short or is no safetensors file"
              .formatted(Long.toUnsignedString(headerBytes), dataAndHeader));
    }
    if (headerBytes > MAX_HEADER_BYTES) {
      throw new IllegalArgumentException(
          "its header has %d bytes; at most %d are read".formatted(headerBytes, MAX_HEADER_BYTES));
    }
    ByteBuffer json = ByteBuffer.allocate((int) headerBytes);
    readFully(in, json);
    SafeTensorsHeader header = SafeTensorsHeader.parse(json.array());
    header.checkFills(dataAndHeader - headerBytes);
    checkMemory(header);
    return header;
  }

  /** What other file begins with these bytes, if they begin one that is often taken for weights. */
  private static void checkKnown(byte[] start) {
    boolean zip = start[0] == 'P' && start[1] == 'K';
    boolean pickle = (start[0] & 0xFF) == 0x80 && start[1] > 0 && start[1] < 6;
    if (zip || pickle) {
      throw new IllegalArgumentException(
          "it is a %s file, as torch.save writes; expected a safetensors file: make one in Python with safetensors.torch.save_file(model.state_dict(), \"model.safetensors\")"
              .formatted(zip ? "zip" : "pickle"));
    }
    if (new String(start, StandardCharsets.ISO_8859_1).matches("(?s)\\s*[{\\[].*")) {
      throw new IllegalArgumentException(
          "it is a JSON file; expected a safetensors file, such as a run's model.safetensors");
    }
  }

  private static void checkMemory(SafeTensorsHeader header) {
    long needed =
        header.entries().stream().mapToLong(SafeTensorsHeader.Entry::elements).sum() * Float.BYTES;
    long heap = Runtime.getRuntime().maxMemory();
    if (needed > heap) {
      throw new IllegalArgumentException(
          "its tensors take %d MiB as floats, Java's heap is %d MiB; raise it with -Xmx"
              .formatted(needed >> 20, heap >> 20));
    }
  }

  private static float[] readValues(FileChannel in, SafeTensorsHeader.Entry entry)
      throws IOException {
    float[] values = new float[entry.elements()];
    ByteBuffer chunk = ByteBuffer.allocate(CHUNK_BYTES).order(ByteOrder.LITTLE_ENDIAN);
    int perChunk = CHUNK_BYTES / entry.type().bytes;
    for (int done = 0; done < values.length; ) {
      int count = Math.min(perChunk, values.length - done);
      readFully(in, chunk.clear().limit(count * entry.type().bytes));
      for (int i = 0; i < count; i++) {
        values[done++] = entry.type().next(chunk);
      }
    }
    return values;
  }

  private static void writeValues(FileChannel out, ByteBuffer chunk, float[] values)
      throws IOException {
    int perChunk = CHUNK_BYTES / Float.BYTES;
    for (int done = 0; done < values.length; ) {
      int count = Math.min(perChunk, values.length - done);
      chunk.clear().limit(count * Float.BYTES);
      chunk.asFloatBuffer().put(values, done, count);
      AtomicFile.writeAll(out, chunk);
      done += count;
    }
  }

  /** Fills the buffer and flips it. */
  private static void readFully(FileChannel in, ByteBuffer buffer) throws IOException {
    while (buffer.hasRemaining()) {
      if (in.read(buffer) < 0) {
        throw new IllegalArgumentException("the file became shorter while it was read");
      }
    }
    buffer.flip();
  }
}
