package convtrain.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import com.sun.management.ThreadMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Every bad file gives one error that names it, and none makes Java ask for memory. */
class MalformedFilesTest {
  /** More than the reader's own buffers, less than any of the lying headers declares. */
  private static final long HEAP_BUDGET_BYTES = 1 << 20;

  private static final int HUGE = Integer.MAX_VALUE;
  private static final byte[] GOOD = Idx.raw(8, 3, new int[] {2, 3, 4}, 24);

  @TempDir Path dir;

  static Stream<Arguments> badFiles() {
    byte[] packed = Idx.gzip(GOOD);
    byte[] garbled = packed.clone();
    Arrays.fill(garbled, 10, garbled.length, (byte) 0xFF);
    byte[] wrongSum = packed.clone();
    wrongSum[packed.length - 6] ^= 1;
    return Stream.of(
        arguments("empty", new byte[0], "truncated: found 0 bytes, expected at least the 4"),
        arguments("half a magic", new byte[] {0, 0}, "truncated: found 2 bytes"),
        arguments(
            "half a header", Arrays.copyOf(GOOD, 9), "found 9 bytes, expected at least the 16"),
        arguments("half a body", Arrays.copyOf(GOOD, 30), "truncated: found 30 bytes, expected 40"),
        arguments("a byte short", Arrays.copyOf(GOOD, 39), "found 39 bytes, expected 40 for ubyte"),
        arguments("a byte long", Arrays.copyOf(GOOD, 41), "oversized: found 41 bytes, expected 40"),
        arguments(
            "text",
            "hello, world".getBytes(StandardCharsets.US_ASCII),
            "not an IDX file: it begins with 68 65"),
        arguments("type 0x0A", Idx.raw(10, 1, new int[] {1}, 1), "unknown element type 0x0A"),
        arguments("rank 0", Idx.raw(8, 0, new int[0], 1), "rank 0; expected 1 to 255"),
        arguments("dimension 0", Idx.raw(8, 2, new int[] {3, 0}, 0), "dimension 0 in [3, 0]"),
        arguments("negative", Idx.raw(8, 1, new int[] {-1}, 0), "dimension 4294967295 in"),
        arguments(
            "huge", Idx.raw(8, 1, new int[] {HUGE}, 9), "found 17 bytes, expected 2147483655"),
        arguments(
            "huge 3-D",
            Idx.raw(8, 3, new int[] {HUGE, 1024, 1024}, 9),
            "found 25 bytes, expected 2251799812636688 for ubyte"),
        arguments(
            "overflow", Idx.raw(14, 3, new int[] {HUGE, HUGE, HUGE}, 9), "more than 2^63 bytes"),
        arguments(
            "huge gzip",
            Idx.gzip(Idx.raw(8, 1, new int[] {1 << 30}, 9)),
            "found 17 bytes after decompression, expected 1073741832 for ubyte [1073741824]"),
        arguments(
            "gzip a byte short",
            Idx.gzip(Arrays.copyOf(GOOD, 39)),
            "found 39 bytes after decompression, expected 40"),
        arguments(
            "gzip a byte long",
            Idx.gzip(Arrays.copyOf(GOOD, 41)),
            "oversized: found more than 40 bytes after decompression, expected 40"),
        arguments(
            "gzip that unpacks to 64 MiB",
            Idx.gzip(Idx.raw(8, 1, new int[] {5}, 1 << 26)),
            "oversized: found more than 13 bytes after decompression"),
        arguments("gzip cut", Arrays.copyOf(packed, packed.length - 12), "breaks off after"),
        arguments("gzip cut in its header", Arrays.copyOf(packed, 5), "damaged gzip data"),
        arguments("gzip garbled", garbled, "damaged gzip data"),
        arguments("gzip with a wrong sum", wrongSum, "damaged gzip data"),
        arguments("gzip magic alone", new byte[] {0x1F, (byte) 0x8B}, "damaged gzip data"));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("badFiles")
  void badFileIsRefusedByNameBeforeMemoryIsAskedFor(String name, byte[] bytes, String message)
      throws IOException {
    Path path = Files.write(dir.resolve("bad"), bytes);
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();

    assertThatExceptionOfType(DataException.class)
        .isThrownBy(() -> IdxFile.read(path, MalformedFilesTest::noMemory))
        .withMessageStartingWith(path + ": ")
        .withMessageContaining(message);
    long before = threads.getCurrentThreadAllocatedBytes();
    try {
      IdxFile.read(path, MalformedFilesTest::noMemory);
    } catch (DataException e) {
      long allocated = threads.getCurrentThreadAllocatedBytes() - before;
      assertThat(allocated).isLessThan(HEAP_BUDGET_BYTES);
    }
  }

  @Test
  void goodFileOfTheSameMakingIsRead() throws IOException {
    Path path = Files.write(dir.resolve("good"), GOOD);
    Path packed = Files.write(dir.resolve("good.gz"), Idx.gzip(GOOD));

    assertThat(IdxFile.read(path, ByteBuffer::allocate).header().toString())
        .isEqualTo("ubyte [2, 3, 4]");
    assertThat(IdxFile.readHeader(packed)).isEqualTo(IdxFile.readHeader(path));
  }

  @Test
  void folderAndMissingFileAreNamed() {
    assertThatExceptionOfType(DataException.class)
        .isThrownBy(() -> IdxFile.readHeader(dir))
        .withMessage(dir + ": is a folder; expected an IDX file");
    assertThatExceptionOfType(DataException.class)
        .isThrownBy(() -> IdxFile.readHeader(dir.resolve("none")))
        .withMessage(dir.resolve("none") + ": no such file");
  }

  @Test
  void memoryThatIsNotThereIsAnErrorOfTheFile() throws IOException {
    Path path = Files.write(dir.resolve("good"), GOOD);
    assertThatExceptionOfType(DataException.class)
        .isThrownBy(
            () ->
                IdxFile.read(
                    path,
                    bytes -> {
                      throw new OutOfMemoryError("Direct buffer memory");
                    }))
        .withMessageContaining("ubyte [2, 3, 4] needs 24 bytes of memory");
  }

  @Test
  void sampleLargerThanABufferIsRefused() throws IOException {
    Path path = Files.write(dir.resolve("good"), GOOD);
    assertThatExceptionOfType(DataException.class)
        .isThrownBy(() -> IdxFile.read(path, MalformedFilesTest::noMemory, 11))
        .withMessageContaining("one sample of ubyte [2, 3, 4] has 12 bytes; expected at most 11");
  }

  private static ByteBuffer noMemory(int bytes) {
    throw new AssertionError(bytes + " bytes asked for");
  }
}
