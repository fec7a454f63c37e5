package convtrain.train;

import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class MalformedSafeTensorsTest {
  private static final String X = "\"x\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}";

  @TempDir Path dir;

  static Stream<Arguments> headers() {
    return Stream.of(
        arguments("", 0, "the header is not a JSON object"),
        arguments("[1]", 0, "the header is not a JSON object"),
        arguments("{" + X, 8, "the header is not valid JSON"),
        arguments("{" + X + "} {}", 8, "text stands after the header's JSON object"),
        arguments("{" + X + "}x", 8, "the header is not valid JSON"),
        arguments("{" + X + "," + X + "}", 8, "Duplicate"),
        arguments("{\"x\":3}", 0, "tensor \"x\": expected an object"),
        arguments("{\"x\":" + "[".repeat(50_000) + "}", 0, "tensor \"x\": expected an object"),
        arguments("{" + X.replace("F32", "Q9") + "}", 8, "dtype=\"Q9\"; those that can be read"),
        arguments("{" + X.replace("\"F32\"", "32") + "}", 8, "dtype is not a string"),
        arguments("{" + X.replace("\"dtype\":\"F32\",", "") + "}", 8, "expected dtype, shape"),
        arguments("{" + X.replace("shape", "dims") + "}", 8, "unknown key \"dims\""),
        arguments("{" + X.replace("[2]", "2") + "}", 8, "shape: expected an array"),
        arguments("{" + X.replace("[2]", "[[2]]") + "}", 8, "shape: expected an array"),
        arguments("{" + X.replace("[2]", "[-2]") + "}", 8, "shape: expected an array"),
        arguments("{" + X.replace("[2]", "[2.0]") + "}", 8, "shape: expected an array"),
        arguments("{" + X.replace("[2]", "[3]") + "}", 8, "takes 12 bytes, data_offsets=[0, 8]"),
        arguments("{" + X.replace("[2]", "[4294967296,4294967296]") + "}", 8, "is too large"),
        arguments("{" + X.replace("[2]", "[99999999999999999999]") + "}", 8, "not valid JSON"),
        arguments("{" + X.replace("[0,8]", "[0]") + "}", 8, "expected [begin, end]"),
        arguments("{" + X.replace("[0,8]", "[8,0]") + "}", 8, "expected [begin, end]"),
        arguments("{" + X.replace("[0,8]", "[4,12]") + "}", 12, "begins at byte 4; expected 0"),
        arguments(
            "{" + X + "," + X.replace("x", "y").replace("[0,8]", "[4,12]") + "}",
            12,
            "tensor \"y\": its data begins at byte 4; expected 8"),
        arguments(
            "{" + X + "," + X.replace("x", "y").replace("[0,8]", "[12,20]") + "}",
            20,
            "tensor \"y\": its data begins at byte 12; expected 8"),
        arguments("{" + X + "}", 7, "take 8 bytes, the file holds 7 after its header; it was cut"),
        arguments("{" + X + "}", 9, "take 8 bytes, the file holds 9 after its header"),
        arguments("{\"__metadata__\":{\"a\":1}," + X + "}", 8, "\"a\" is not a string"),
        arguments("{\"__metadata__\":\"a\"," + X + "}", 8, "expected an object of strings"));
  }

  @ParameterizedTest
  @MethodSource("headers")
  void aFaultyHeaderIsOneClearError(String json, int dataBytes, String message) throws IOException {
    Path file = file(json.getBytes(StandardCharsets.UTF_8).length, json, dataBytes);

    assertThatThrownBy(() -> SafeTensors.read(file))
        .isInstanceOf(SafeTensorsException.class)
        .hasMessageStartingWith(file + ": ")
        .hasMessageContaining(message);
  }

  @ParameterizedTest
  @ValueSource(longs = {11, 1L << 31, 1L << 40, Long.MAX_VALUE, Long.MIN_VALUE, -1})
  void aHeaderLongerThanTheFileIsRefusedBeforeItIsAllocated(long length) throws IOException {
    Path file = file(length, "{}", 8);

    assertThatThrownBy(() -> SafeTensors.read(file))
        .isInstanceOf(SafeTensorsException.class)
        .hasMessageContaining(
            "claims a header of " + Long.toUnsignedString(length) + " bytes, 10 follow");
  }

  @Test
  void whatIsOftenTakenForWeightsIsToldByItsKind() throws IOException {
    byte[] zip = {'P', 'K', 3, 4, 0, 0, 8, 8, 0, 0, 0, 0};
    byte[] pickle = {
      (byte) 0x80, 2, (byte) 0x8a, 10, 108, (byte) 0xfc, (byte) 0x9c, 70, (byte) 0xf9
    };
    assertRefused(zip, "it is a zip file, as torch.save writes; expected a safetensors file");
    assertRefused(pickle, "safetensors.torch.save_file(model.state_dict(), ");
    assertRefused("{\n  \"name\": \"tiny\"}".getBytes(StandardCharsets.UTF_8), "it is a JSON file");
  }

  private void assertRefused(byte[] content, String message) throws IOException {
    Path file = Files.write(dir.resolve("m.pt"), content);
    assertThatThrownBy(() -> SafeTensors.read(file))
        .isInstanceOf(SafeTensorsException.class)
        .hasMessageContaining(message);
  }

  @Test
  void aFileTooShortForTheLengthIsRefused() throws IOException {
    Path file = Files.write(dir.resolve("short"), new byte[7]);

    assertThatThrownBy(() -> SafeTensors.read(file))
        .isInstanceOf(SafeTensorsException.class)
        .hasMessageContaining("7 bytes are too few");
  }

  @Test
  void everyTruncationOfAGoodFileIsRefused() throws IOException {
    byte[] good = Files.readAllBytes(file(X.length() + 2, "{" + X + "}", 8));
    for (int length = 0; length < good.length; length++) {
      Path file = Files.write(dir.resolve("cut"), java.util.Arrays.copyOf(good, length));
      assertThatThrownBy(() -> SafeTensors.read(file))
          .as("cut to %d bytes", length)
          .isInstanceOf(SafeTensorsException.class);
    }
  }

  @Test
  void aHugeHeaderIsRefusedUnread() throws IOException {
    Path file = file(1L << 33, "{", 0);
    grow(file, (1L << 33) + 8);

    assertThatThrownBy(() -> SafeTensors.read(file))
        .isInstanceOf(SafeTensorsException.class)
        .hasMessageContaining("at most 16777216 are read");
  }

  @Test
  void tensorsLargerThanTheHeapAreRefusedUnread() throws IOException {
    long bytes = Runtime.getRuntime().maxMemory() / 4 * 4;
    long tensors = 4;
    StringBuilder json = new StringBuilder("{");
    for (long i = 0; i < tensors; i++) {
      json.append(i == 0 ? "" : ",")
          .append("\"t%d\":{\"dtype\":\"F16\",".formatted(i))
          .append("\"shape\":[%d],".formatted(bytes / 8))
          .append("\"data_offsets\":[%d,%d]}".formatted(i * (bytes / 4), (i + 1) * (bytes / 4)));
    }
    Path file = file(json.length() + 1, json + "}", 0);
    grow(file, 8 + json.length() + 1 + bytes);

    assertThatThrownBy(() -> SafeTensors.read(file))
        .isInstanceOf(SafeTensorsException.class)
        .hasMessageContaining("raise it with -Xmx");
  }

  /** Lengthens the file without writing: the new part takes no room on the disk. */
  private static void grow(Path file, long bytes) throws IOException {
    try (RandomAccessFile sparse = new RandomAccessFile(file.toFile(), "rw")) {
      sparse.setLength(bytes);
    }
  }

  private Path file(long headerBytes, String json, int dataBytes) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    bytes.write(ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN).putLong(headerBytes).array());
    bytes.write(json.getBytes(StandardCharsets.UTF_8));
    bytes.write(new byte[dataBytes]);
    return Files.write(dir.resolve("model.safetensors"), bytes.toByteArray());
  }
}
