package convtrain.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import convtrain.files.AtomicFile;
import convtrain.train.SafeTensors.Tensor;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SafeTensorsTest {
  @TempDir Path dir;

  /** The golden file is made by src/test/python/safetensors_golden.py. */
  @Test
  void readsEveryElementTypeOfAFileMadeElsewhere() throws Exception {
    SafeTensors file =
        SafeTensors.read(Path.of(getClass().getResource("golden.safetensors").toURI()));

    assertThat(file.metadata()).isEqualTo(Map.of("format", "pt", "who", "Zo\u00eb"));
    assertThat(file.tensors().keySet())
        .containsExactly(
            "bn1.num_batches_tracked", "brains", "conv1.weight", "doubles", "empty", "halves");
    Tensor weight = file.tensors().get("conv1.weight");
    assertThat(weight.dims()).containsExactly(2, 1, 2, 3);
    for (int i = 0; i < 12; i++) {
      assertThat(weight.values()[i]).isEqualTo(i / 7f);
    }
    assertThat(file.tensors().get("doubles").values())
        .containsExactly(1 / 3f, Float.NEGATIVE_INFINITY);
    assertThat(file.tensors().get("halves").values())
        .containsExactly(0f, -0f, 1f, -2.5f, 65504f, 0x1p-14f, 0x1p-24f, Float.POSITIVE_INFINITY);
    assertThat(file.tensors().get("brains").values())
        .containsExactly(1f, -3.140625f, Float.intBitsToFloat(0x7e960000));
    assertThat(file.tensors().get("bn1.num_batches_tracked").dims()).isEmpty();
    assertThat(file.tensors().get("bn1.num_batches_tracked").values()).containsExactly(469f);
    assertThat(file.tensors().get("empty").dims()).containsExactly(0, 4);
  }

  @Test
  void writesSortedContiguousTensorsUnderAHeaderPaddedToEightBytes() throws IOException {
    Path file = dir.resolve("model.safetensors");
    new SafeTensors(
            Map.of("format", "pt"),
            new TreeMap<>(
                Map.of(
                    "b", new Tensor(List.of(2), new float[] {1, -2}),
                    "a", new Tensor(List.of(1, 1), new float[] {0.5f}))))
        .write(file);

    String json =
        "{\"__metadata__\":{\"format\":\"pt\"},"
            + "\"a\":{\"dtype\":\"F32\",\"shape\":[1,1],\"data_offsets\":[0,4]},"
            + "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[4,12]}}";
    int padded = (json.length() + 7) / 8 * 8;
    ByteBuffer expected = ByteBuffer.allocate(8 + padded + 12).order(ByteOrder.LITTLE_ENDIAN);
    expected.putLong(padded);
    expected.put((json + " ".repeat(padded - json.length())).getBytes(StandardCharsets.UTF_8));
    expected.putFloat(0.5f).putFloat(1).putFloat(-2);
    assertThat(Files.readAllBytes(file)).isEqualTo(expected.array());
    try (var files = Files.list(dir)) {
      assertThat(files).as("no temporary file stays").containsExactly(file);
    }
  }

  @Test
  void replacesAnEarlierFileAndKeepsItIfWritingFails() throws IOException {
    Path file = dir.resolve("model.safetensors");
    tensor("old", 1).write(file);
    tensor("new", 2).write(file);
    assertThatThrownBy(
            () ->
                AtomicFile.write(
                    file,
                    out -> {
                      throw new IOException("disk full");
                    }))
        .hasMessage(file + ": disk full");

    assertThat(SafeTensors.read(file).tensors()).containsOnlyKeys("new");
    try (var files = Files.list(dir)) {
      assertThat(files).containsExactly(file);
    }
  }

  @Test
  void tensorsLongerThanTheChunkKeepEveryValue() throws IOException {
    float[] values = new float[3 * (1 << 14) + 5];
    for (int i = 0; i < values.length; i++) {
      values[i] = i;
    }
    Path file = dir.resolve("long.safetensors");
    new SafeTensors(
            Map.of(), new TreeMap<>(Map.of("x", new Tensor(List.of(values.length), values))))
        .write(file);

    assertThat(SafeTensors.read(file).tensors().get("x").values()).isEqualTo(values);
  }

  @Test
  void aTensorMustHoldWhatItsShapeSays() {
    assertThatThrownBy(() -> new Tensor(List.of(2, 3), new float[5]))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("a tensor of shape [2, 3] cannot hold 5 values");
    assertThatThrownBy(() -> new Tensor(List.of(-1, -1), new float[1]))
        .isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> tensor("__metadata__", 1))
        .isInstanceOf(IllegalArgumentException.class);
  }

  /** jqwik makes no use of JUnit's temporary folder, hence one of its own. */
  @Property(tries = 60, seed = "1")
  void whatIsWrittenIsReadBackBitForBit(
      @ForAll("names") String name, @ForAll("shapes") List<Integer> dims, @ForAll int seed)
      throws IOException {
    int elements = dims.stream().reduce(1, (a, b) -> a * b);
    float[] values = new float[elements];
    for (int i = 0; i < elements; i++) {
      values[i] = Float.intBitsToFloat(seed * 31 + i * 0x01234567);
    }
    Path file = Files.createTempFile("convtrain", ".safetensors");
    try {
      new SafeTensors(
              Map.of(name, name),
              new TreeMap<>(
                  Map.of(name, new Tensor(dims, values), name + "2", new Tensor(dims, values))))
          .write(file);
      SafeTensors back = SafeTensors.read(file);

      assertThat(back.metadata()).containsExactly(Map.entry(name, name));
      assertThat(back.tensors()).containsOnlyKeys(name, name + "2");
      for (Tensor tensor : back.tensors().values()) {
        assertThat(tensor.dims()).isEqualTo(dims);
        assertThat(bits(tensor.values())).isEqualTo(bits(values));
      }
    } finally {
      Files.delete(file);
    }
  }

  @Provide
  Arbitrary<String> names() {
    return Arbitraries.strings()
        .withCharRange('a', 'z')
        .withChars(".\"\\/ \n\t\u00e9\u4e2d0")
        .ofMinLength(1)
        .ofMaxLength(12);
  }

  @Provide
  Arbitrary<List<Integer>> shapes() {
    return Arbitraries.integers().between(0, 4).list().ofMaxSize(4);
  }

  private static SafeTensors tensor(String name, float value) {
    return new SafeTensors(
        Map.of(), new TreeMap<>(Map.of(name, new Tensor(List.of(), new float[] {value}))));
  }

  private static int[] bits(float[] values) {
    int[] bits = new int[values.length];
    for (int i = 0; i < bits.length; i++) {
      bits[i] = Float.floatToRawIntBits(values[i]);
    }
    return bits;
  }
}
