package convtrain.data;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.Channels;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntFunction;
import java.util.zip.GZIPOutputStream;

/**
 * The elements of one IDX file in memory, in buffers that each hold whole samples.
 *
 * <p>Nothing is allocated for the data before the file has shown that it holds what its header
 * declares, so a lying header costs no memory.
 */
public final class IdxFile {
  /** Most bytes of one buffer: a ByteBuffer ends at 2 GiB. */
  static final int CHUNK_BYTES = 1 << 30;

  private final IdxHeader header;
  private final List<ByteBuffer> chunks;
  private final int samplesPerChunk;

  private IdxFile(IdxHeader header, List<ByteBuffer> chunks, int samplesPerChunk) {
    this.header = header;
    this.chunks = chunks;
    this.samplesPerChunk = samplesPerChunk;
  }

  /** What the file says of itself, checked against its length. */
  public static IdxHeader readHeader(Path path) {
    try (IdxInput in = IdxInput.open(path)) {
      IdxHeader header = in.header();
      in.checkLength(header);
      return header;
    }
  }

  /**
   * Reads a file, raw or gzip (told by its content).
   *
   * @param memory makes a buffer of the given number of bytes
   */
  public static IdxFile read(Path path, IntFunction<ByteBuffer> memory) {
    return read(path, memory, CHUNK_BYTES);
  }

  static IdxFile read(Path path, IntFunction<ByteBuffer> memory, int chunkBytes) {
    IdxHeader header = readHeader(path);
    if (header.sampleBytes() > chunkBytes) {
      throw new DataException(
          "%s: one sample of %s has %d bytes; expected at most %d"
              .formatted(path, header, header.sampleBytes(), chunkBytes));
    }
    int sampleBytes = (int) header.sampleBytes();
    int samplesPerChunk = Math.min(header.samples(), chunkBytes / sampleBytes);
    List<ByteBuffer> chunks = new ArrayList<>();
    try (IdxInput in = IdxInput.open(path)) {
      if (!in.header().equals(header)) {
        throw new DataException(path + ": changed while it was read; try again");
      }
      for (long first = 0; first < header.samples(); first += samplesPerChunk) {
        int samples = (int) Math.min(samplesPerChunk, header.samples() - first);
        ByteBuffer chunk = allocate(path, header, samples * sampleBytes, memory);
        in.fill(header, chunk);
        chunks.add(chunk.flip());
      }
    }
    return new IdxFile(header, List.copyOf(chunks), samplesPerChunk);
  }

  private static ByteBuffer allocate(
      Path path, IdxHeader header, int bytes, IntFunction<ByteBuffer> memory) {
    try {
      return memory.apply(bytes).duplicate().clear().limit(bytes).order(ByteOrder.BIG_ENDIAN);
    } catch (OutOfMemoryError e) {
      throw new DataException(
          "%s: %s needs %d bytes of memory, more than there is; give Java more (-Xmx, -XX:MaxDirectMemorySize) or use a smaller file"
              .formatted(path, header, header.dataBytes()),
          e);
    }
  }

  /**
   * Writes a file, gzip if its name ends in {@code .gz}.
   *
   * @param data big-endian elements, from position to limit, buffer after buffer
   */
  public static void write(Path path, IdxHeader header, List<ByteBuffer> data) {
    long found = data.stream().mapToLong(ByteBuffer::remaining).sum();
    if (found != header.dataBytes()) {
      throw new IllegalArgumentException(
          "%s: %d bytes given; expected %d for %s"
              .formatted(path, found, header.dataBytes(), header));
    }
    try (OutputStream file = Files.newOutputStream(path);
        OutputStream out =
            path.toString().endsWith(".gz") ? new GZIPOutputStream(file, 1 << 16) : file;
        WritableByteChannel channel = Channels.newChannel(out)) {
      writeAll(channel, header.encode());
      for (ByteBuffer part : data) {
        writeAll(channel, part.duplicate());
      }
    } catch (IOException e) {
      throw new DataException(path + ": cannot be written: " + e.getMessage(), e);
    }
  }

  private static void writeAll(WritableByteChannel channel, ByteBuffer part) throws IOException {
    while (part.hasRemaining()) {
      channel.write(part);
    }
  }

  public IdxHeader header() {
    return header;
  }

  /** Buffers of {@link #samplesPerChunk} samples each, the last of those that remain. */
  List<ByteBuffer> chunks() {
    return chunks;
  }

  int samplesPerChunk() {
    return samplesPerChunk;
  }

  /** Element {@code index} in the file's order. */
  public double value(long index) {
    long perChunk = samplesPerChunk * (header.sampleBytes() / header.type().bytes());
    ByteBuffer chunk = chunks.get((int) (index / perChunk));
    int at = (int) (index % perChunk) * header.type().bytes();
    return switch (header.type()) {
      case UBYTE -> chunk.get(at) & 0xFF;
      case SBYTE -> chunk.get(at);
      case SHORT -> chunk.getShort(at);
      case INT -> chunk.getInt(at);
      case FLOAT -> chunk.getFloat(at);
      case DOUBLE -> chunk.getDouble(at);
    };
  }
}
