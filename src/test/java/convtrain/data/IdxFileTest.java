package convtrain.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class IdxFileTest {
  @TempDir Path dir;

  @Property(tries = 150)
  void whatIsWrittenIsReadBackForEveryTypeRankAndChunking(
      @ForAll IdxHeader.Type type,
      @ForAll @Size(min = 1, max = 5) List<@IntRange(min = 1, max = 6) Integer> dims,
      @ForAll boolean gzip,
      @ForAll @IntRange(min = 1, max = 3) int samplesPerChunk,
      @ForAll long seed)
      throws IOException {
    IdxHeader header = new IdxHeader(type, dims);
    byte[] bytes = new byte[(int) header.dataBytes()];
    new Random(seed).nextBytes(bytes);
    Path path = Files.createTempFile("idx", gzip ? ".gz" : "-idx");
    try {
      int cut = bytes.length / 3;
      IdxFile.write(
          path,
          header,
          List.of(ByteBuffer.wrap(bytes, 0, cut), ByteBuffer.wrap(bytes, cut, bytes.length - cut)));

      int chunkBytes = (int) header.sampleBytes() * samplesPerChunk;
      IdxFile file = IdxFile.read(path, ByteBuffer::allocateDirect, chunkBytes);

      assertThat(file.header()).isEqualTo(header);
      assertThat(joined(file)).isEqualTo(bytes);
      assertThat(file.chunks()).allMatch(chunk -> chunk.capacity() <= chunkBytes);
      assertThat(values(file)).containsExactly(expected(type, bytes));
    } finally {
      Files.delete(path);
    }
  }

  @Test
  void gzipIsToldByContentNotByName() throws IOException {
    IdxHeader header = IdxHeader.of(IdxHeader.Type.UBYTE, 3);
    Path compressed = dir.resolve("a.gz");
    IdxFile.write(compressed, header, List.of(ByteBuffer.wrap(new byte[] {7, 8, (byte) 200})));
    Path renamed = Files.move(compressed, dir.resolve("plain-idx1-ubyte"));

    assertThat(Files.readAllBytes(renamed)[0]).isEqualTo((byte) 0x1F);
    assertThat(values(IdxFile.read(renamed, ByteBuffer::allocate))).containsExactly(7, 8, 200);
  }

  @Test
  void headerIsWrittenAsTheFormatDefinesIt() throws IOException {
    Path path = dir.resolve("shorts");
    IdxFile.write(
        path,
        IdxHeader.of(IdxHeader.Type.SHORT, 2, 1),
        List.of(ByteBuffer.wrap(new byte[] {1, 2, -1, -2})));

    assertThat(Files.readAllBytes(path))
        .containsExactly(0, 0, 0x0B, 2, 0, 0, 0, 2, 0, 0, 0, 1, 1, 2, 0xFF, 0xFE);
    assertThat(values(IdxFile.read(path, ByteBuffer::allocate))).containsExactly(258, -2);
  }

  @Test
  void dataOfAnotherSizeThanTheHeaderIsNotWritten() {
    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                IdxFile.write(
                    dir.resolve("x"),
                    IdxHeader.of(IdxHeader.Type.INT, 2),
                    List.of(ByteBuffer.allocate(7))))
        .withMessageContaining("7 bytes given; expected 8 for int [2]");
    assertThat(dir.resolve("x")).doesNotExist();
  }

  private static double[] expected(IdxHeader.Type type, byte[] bytes) {
    ByteBuffer in = ByteBuffer.wrap(bytes);
    return LongStream.range(0, bytes.length / type.bytes())
        .mapToDouble(
            i ->
                switch (type) {
                  case UBYTE -> Byte.toUnsignedInt(in.get());
                  case SBYTE -> in.get();
                  case SHORT -> in.getShort();
                  case INT -> in.getInt();
                  case FLOAT -> in.getFloat();
                  case DOUBLE -> in.getDouble();
                })
        .toArray();
  }

  private static double[] values(IdxFile file) {
    long elements = file.header().dataBytes() / file.header().type().bytes();
    return LongStream.range(0, elements).mapToDouble(file::value).toArray();
  }

  private static byte[] joined(IdxFile file) {
    ByteBuffer all = ByteBuffer.allocate((int) file.header().dataBytes());
    file.chunks().forEach(chunk -> all.put(chunk.duplicate()));
    return all.array();
  }
}
