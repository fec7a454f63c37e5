package convtrain.data;

import java.nio.ByteBuffer;
import java.util.List;
import java.util.Locale;

/**
 * What an IDX file says of itself: two zero bytes, a type byte, the rank, then one big-endian int
 * per dimension.
 *
 * @param type of every element
 * @param dims slowest first, at least one, each at least 1; the first counts the samples
 */
public record IdxHeader(Type type, List<Integer> dims) {
  /** Element types with the byte that stands for them; elements are big-endian. */
  public enum Type {
    UBYTE(0x08, 1),
    SBYTE(0x09, 1),
    SHORT(0x0B, 2),
    INT(0x0C, 4),
    FLOAT(0x0D, 4),
    DOUBLE(0x0E, 8);

    private final int code;
    private final int bytes;

    Type(int code, int bytes) {
      this.code = code;
      this.bytes = bytes;
    }

    /** Bytes of one element. */
    public int bytes() {
      return bytes;
    }

    static Type of(int code) {
      for (Type type : values()) {
        if (type.code == code) {
          return type;
        }
      }
      throw new IllegalArgumentException(
          "unknown element type 0x%02X; expected 0x08 ubyte, 0x09 sbyte, 0x0B short, 0x0C int, 0x0D float or 0x0E double"
              .formatted(code));
    }
  }

  static final int MAGIC_BYTES = 4;

  public IdxHeader {
    dims = List.copyOf(dims);
    if (dims.isEmpty() || dims.size() > 255) {
      throw new IllegalArgumentException("rank " + dims.size() + "; expected 1 to 255");
    }
    long bytes = type.bytes();
    for (int dim : dims) {
      if (dim < 1) {
        throw new IllegalArgumentException(
            "dimension "
                + Integer.toUnsignedString(dim)
                + " in "
                + unsigned(dims)
                + "; expected 1 to 2147483647");
      }
      try {
        bytes = Math.multiplyExact(bytes, dim);
      } catch (ArithmeticException e) {
        throw new IllegalArgumentException(
            dims + " has more than 2^63 bytes of elements; expected what a file can hold", e);
      }
    }
  }

  public static IdxHeader of(Type type, Integer... dims) {
    return new IdxHeader(type, List.of(dims));
  }

  public int rank() {
    return dims.size();
  }

  /** Samples: the first dimension. */
  public int samples() {
    return dims.get(0);
  }

  /** Bytes of all elements. */
  public long dataBytes() {
    long bytes = type.bytes();
    for (int dim : dims) {
      bytes *= dim;
    }
    return bytes;
  }

  /** Bytes of one sample. */
  public long sampleBytes() {
    return dataBytes() / samples();
  }

  /** Bytes of the header itself. */
  public int headerBytes() {
    return MAGIC_BYTES + Integer.BYTES * rank();
  }

  /** The header as it stands in a file, ready to be read. */
  ByteBuffer encode() {
    ByteBuffer out = ByteBuffer.allocate(headerBytes());
    out.put((byte) 0).put((byte) 0).put((byte) type.code).put((byte) rank());
    dims.forEach(out::putInt);
    return out.flip();
  }

  @Override
  public String toString() {
    return type.name().toLowerCase(Locale.ROOT) + " " + dims;
  }

  private static List<String> unsigned(List<Integer> dims) {
    return dims.stream().map(Integer::toUnsignedString).toList();
  }
}
