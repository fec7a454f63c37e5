package convtrain.backend.cuda.natives;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What a shared library for x86-64 says to the dynamic loader: its name, the libraries it needs,
 * the symbol versions it needs and defines. Read through the program headers, as the loader does;
 * sections may be stripped.
 */
final class ElfFile {
  /** A text of the dynamic string table and where in the file its first byte is. */
  record Text(String value, int offset) {}

  /**
   * A symbol version that is looked up in another library.
   *
   * @param library file name of the other library
   * @param hash as stored at {@code hashOffset}; {@link #hash} of the name where the file is sound
   */
  record VersionNeed(Text library, Text name, int hash, int hashOffset) {}

  /** Not a shared library that an x86-64 process can load; the message says what it is. */
  static final class FormatException extends IOException {
    private static final long serialVersionUID = 1L;

    FormatException(String message) {
      super(message);
    }
  }

  private static final int MAGIC = 0x464c457f;
  private static final int CLASS_64_LITTLE_ENDIAN = 0x0102;
  private static final int X86_64 = 62;
  private static final int PT_LOAD = 1;
  private static final int PT_DYNAMIC = 2;
  private static final long DT_NEEDED = 1;
  private static final long DT_STRTAB = 5;
  private static final long DT_SONAME = 14;
  private static final long DT_RPATH = 15;
  private static final long DT_RUNPATH = 29;
  private static final long DT_VERDEF = 0x6ffffffcL;
  private static final long DT_VERDEFNUM = 0x6ffffffdL;
  private static final long DT_VERNEED = 0x6ffffffeL;
  private static final long DT_VERNEEDNUM = 0x6fffffffL;

  /** Part of the file that is mapped into memory. */
  private record Segment(long fileOffset, long address, long bytes) {}

  private final ByteBuffer file;
  private final List<Segment> segments = new ArrayList<>();

  /** Values by tag; {@code DT_NEEDED} alone may occur more than once. */
  private final Map<Long, Long> dynamic = new HashMap<>();

  private final List<Text> needed = new ArrayList<>();
  private final List<VersionNeed> versionsNeeded = new ArrayList<>();
  private final List<String> versionsDefined = new ArrayList<>();

  private ElfFile(ByteBuffer bytes) throws FormatException {
    file = bytes.slice().order(ByteOrder.LITTLE_ENDIAN);
    try {
      readHeader();
      readVersionsNeeded();
      readVersionsDefined();
    } catch (IndexOutOfBoundsException | IllegalArgumentException e) {
      throw new FormatException("a damaged or cut-off ELF file");
    }
  }

  static ElfFile parse(byte[] bytes) throws FormatException {
    return new ElfFile(ByteBuffer.wrap(bytes));
  }

  /** Maps the file, so of half a gigabyte only the pages that are looked at are read. */
  static ElfFile read(Path path) throws IOException {
    try (FileChannel channel = FileChannel.open(path)) {
      long bytes = Math.min(channel.size(), Integer.MAX_VALUE);
      return new ElfFile(channel.map(FileChannel.MapMode.READ_ONLY, 0, bytes));
    }
  }

  /** The name that other libraries need it by, or none. */
  String soname() {
    return dynamic.containsKey(DT_SONAME) ? text(dynamic.get(DT_SONAME)).value() : "";
  }

  List<Text> needed() {
    return List.copyOf(needed);
  }

  /** Where the loader looks for what this library needs and opens, or none. */
  String runpath() {
    long tag = dynamic.containsKey(DT_RUNPATH) ? DT_RUNPATH : DT_RPATH;
    return dynamic.containsKey(tag) ? text(dynamic.get(tag)).value() : "";
  }

  List<VersionNeed> versionsNeeded() {
    return List.copyOf(versionsNeeded);
  }

  /** Empty in a library without symbol versions, whose symbols satisfy every version asked for. */
  List<String> versionsDefined() {
    return List.copyOf(versionsDefined);
  }

  /** The System V hash that version records carry of their names. */
  static int hash(String name) {
    int hash = 0;
    for (byte b : name.getBytes(StandardCharsets.UTF_8)) {
      hash = (hash << 4) + Byte.toUnsignedInt(b);
      int high = hash & 0xf0000000;
      hash = (hash ^ high >>> 24) & ~high;
    }
    return hash;
  }

  private void readHeader() throws FormatException {
    if (file.remaining() < 64 || file.getInt(0) != MAGIC) {
      throw new FormatException("not a shared library (no ELF header)");
    }
    if (file.getShort(4) != CLASS_64_LITTLE_ENDIAN || file.getShort(18) != X86_64) {
      throw new FormatException("a library for another kind of processor, not x86-64");
    }
    int headers = Math.toIntExact(file.getLong(32));
    int headerBytes = Short.toUnsignedInt(file.getShort(54));
    int count = Short.toUnsignedInt(file.getShort(56));
    int dynamicHeader = -1;
    for (int i = 0; i < count; i++) {
      int at = headers + i * headerBytes;
      int type = file.getInt(at);
      if (type == PT_LOAD) {
        segments.add(
            new Segment(file.getLong(at + 8), file.getLong(at + 16), file.getLong(at + 32)));
      } else if (type == PT_DYNAMIC) {
        dynamicHeader = at;
      }
    }
    if (dynamicHeader < 0) {
      throw new FormatException("not a shared library (no dynamic section)");
    }
    readDynamic(file.getLong(dynamicHeader + 8), file.getLong(dynamicHeader + 32));
  }

  private void readDynamic(long offset, long bytes) {
    List<Long> neededTexts = new ArrayList<>();
    for (long at = offset; at < offset + bytes; at += 16) {
      long tag = file.getLong(Math.toIntExact(at));
      long value = file.getLong(Math.toIntExact(at + 8));
      if (tag == 0) {
        break;
      } else if (tag == DT_NEEDED) {
        neededTexts.add(value);
      } else {
        dynamic.put(tag, value);
      }
    }
    if (!dynamic.containsKey(DT_STRTAB)) {
      throw new IllegalArgumentException("no string table");
    }
    neededTexts.forEach(text -> needed.add(text(text)));
  }

  private void readVersionsNeeded() {
    if (!dynamic.containsKey(DT_VERNEED)) {
      return;
    }
    int record = offset(dynamic.get(DT_VERNEED));
    for (long i = dynamic.getOrDefault(DT_VERNEEDNUM, 0L); i > 0; i--) {
      Text library = text(file.getInt(record + 4));
      int version = record + file.getInt(record + 8);
      for (int j = Short.toUnsignedInt(file.getShort(record + 2)); j > 0; j--) {
        Text name = text(file.getInt(version + 8));
        versionsNeeded.add(new VersionNeed(library, name, file.getInt(version), version));
        version += file.getInt(version + 12);
      }
      record += file.getInt(record + 12);
    }
  }

  private void readVersionsDefined() {
    if (!dynamic.containsKey(DT_VERDEF)) {
      return;
    }
    int record = offset(dynamic.get(DT_VERDEF));
    for (long i = dynamic.getOrDefault(DT_VERDEFNUM, 0L); i > 0; i--) {
      boolean ofFile = (file.getShort(record + 2) & 1) != 0;
      if (!ofFile) {
        versionsDefined.add(text(file.getInt(record + file.getInt(record + 12))).value());
      }
      record += file.getInt(record + 16);
    }
  }

  private Text text(long inTable) {
    int start = Math.toIntExact(offset(dynamic.get(DT_STRTAB)) + inTable);
    int end = start;
    while (file.get(end) != 0) {
      end++;
    }
    byte[] bytes = new byte[end - start];
    file.get(start, bytes);
    return new Text(new String(bytes, StandardCharsets.UTF_8), start);
  }

  /** Where in the file an address of the loaded library lies. */
  private int offset(long address) {
    for (Segment segment : segments) {
      if (address >= segment.address && address < segment.address + segment.bytes) {
        return Math.toIntExact(address - segment.address + segment.fileOffset);
      }
    }
    throw new IllegalArgumentException("address outside of the file: " + address);
  }
}
