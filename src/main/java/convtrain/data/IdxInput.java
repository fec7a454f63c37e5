package convtrain.data;

import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;

/** The bytes of one IDX file, decompressed where its content is gzip; owns the open file. */
final class IdxInput implements Closeable {
  private static final int GZIP_MAGIC = 0x1F8B;

  private final Path path;
  private final InputStream in;
  private final boolean gzip;
  private final byte[] scratch = new byte[1 << 16];
  private long position;

  private IdxInput(Path path, InputStream in, boolean gzip) {
    this.path = path;
    this.in = in;
    this.gzip = gzip;
  }

  static IdxInput open(Path path) {
    if (Files.isDirectory(path)) {
      throw new DataException(path + ": is a folder; expected an IDX file");
    }
    InputStream file = null;
    try {
      boolean gzip = firstTwoBytes(path) == GZIP_MAGIC;
      file = Files.newInputStream(path);
      return new IdxInput(path, gzip ? new GZIPInputStream(file, 1 << 16) : file, gzip);
    } catch (IOException e) {
      closeQuietly(file);
      throw failure(path, e);
    }
  }

  /** The first two bytes of a file as a big-endian number; -1 if it has fewer. */
  static int firstTwoBytes(Path path) throws IOException {
    try (InputStream in = Files.newInputStream(path)) {
      int high = in.read();
      int low = in.read();
      return low < 0 ? -1 : high << 8 | low;
    }
  }

  /** Reads the header and checks all it says but the amount of data. */
  IdxHeader header() {
    byte[] magic = new byte[IdxHeader.MAGIC_BYTES];
    headerPart(magic, magic.length);
    if (magic[0] != 0 || magic[1] != 0) {
      throw new DataException(
          "%s: not an IDX file: it begins with %02x %02x, expected 00 00 (or 1f 8b for gzip)"
              .formatted(path, magic[0], magic[1]));
    }
    int rank = magic[3] & 0xFF;
    ByteBuffer dims = ByteBuffer.allocate(Integer.BYTES * rank);
    try {
      IdxHeader.Type type = IdxHeader.Type.of(magic[2] & 0xFF);
      headerPart(dims.array(), IdxHeader.MAGIC_BYTES + dims.capacity());
      List<Integer> sizes = new ArrayList<>(rank);
      while (dims.hasRemaining()) {
        sizes.add(dims.getInt());
      }
      return new IdxHeader(type, sizes);
    } catch (IllegalArgumentException e) {
      throw new DataException(path + ": bad IDX header: " + e.getMessage(), e);
    }
  }

  private void headerPart(byte[] into, int headerBytes) {
    long before = position;
    int got = read(into, into.length);
    if (got < into.length) {
      throw new DataException(
          "%s: truncated: found %d bytes, expected at least the %d of an IDX header; fetch or write the file again"
              .formatted(path, before + got, headerBytes));
    }
  }

  /**
   * Checks that the file holds exactly the data its header declares, without keeping any of it: a
   * raw file by its length, a gzip file by decompressing it. To be called right after {@link
   * #header}.
   */
  void checkLength(IdxHeader header) {
    long expected = header.headerBytes() + header.dataBytes();
    long found = gzip ? position + skip(header.dataBytes() + 1) : fileBytes();
    if (found < expected) {
      throw truncated(header, found);
    }
    if (found > expected) {
      throw new DataException(
          "%s: oversized: found %s bytes%s, expected %d for %s; fetch or write the file again"
              .formatted(
                  path,
                  gzip ? "more than " + expected : Long.toString(found),
                  gzip ? " after decompression" : "",
                  expected,
                  header));
    }
  }

  /** Fills the buffer up to its limit. */
  void fill(IdxHeader header, ByteBuffer into) {
    while (into.hasRemaining()) {
      int got = read(scratch, Math.min(scratch.length, into.remaining()));
      if (got == 0) {
        throw truncated(header, position);
      }
      into.put(scratch, 0, got);
    }
  }

  private DataException truncated(IdxHeader header, long found) {
    return new DataException(
        "%s: truncated: found %d bytes%s, expected %d for %s; fetch or write the file again"
            .formatted(
                path,
                found,
                gzip ? " after decompression" : "",
                header.headerBytes() + header.dataBytes(),
                header));
  }

  private long fileBytes() {
    try {
      return Files.size(path);
    } catch (IOException e) {
      throw failure(path, e);
    }
  }

  private long skip(long most) {
    long skipped = 0;
    int got = 1;
    while (skipped < most && got > 0) {
      got = read(scratch, (int) Math.min(scratch.length, most - skipped));
      skipped += got;
    }
    return skipped;
  }

  /** Reads as many bytes as there are, up to {@code count}. */
  private int read(byte[] into, int count) {
    int got = 0;
    try {
      while (got < count) {
        int n = in.read(into, got, count - got);
        if (n < 0) {
          break;
        }
        got += n;
      }
    } catch (EOFException e) {
      throw new DataException(
          "%s: truncated: its gzip data breaks off after %d decompressed bytes; fetch or write the file again"
              .formatted(path, position + got),
          e);
    } catch (IOException e) {
      throw failure(path, e);
    }
    position += got;
    return got;
  }

  static DataException failure(Path path, IOException e) {
    if (e instanceof NoSuchFileException) {
      return new DataException(path + ": no such file", e);
    }
    if (e instanceof AccessDeniedException) {
      return new DataException(path + ": cannot be read: permission denied", e);
    }
    if (e instanceof ZipException || e instanceof EOFException) {
      return new DataException(
          path + ": damaged gzip data (" + e.getMessage() + "); fetch or write the file again", e);
    }
    return new DataException(path + ": cannot be read: " + e.getMessage(), e);
  }

  private static void closeQuietly(InputStream file) {
    if (file != null) {
      try {
        file.close();
      } catch (IOException ignored) {
        return; // the failure to open is the one to report
      }
    }
  }

  @Override
  public void close() {
    try {
      in.close();
    } catch (IOException e) {
      throw failure(path, e);
    }
  }
}
