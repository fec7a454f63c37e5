package convtrain.train;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * The JSON header of a safetensors file: per tensor its element type, dimensions and bytes.
 *
 * <pre>{"__metadata__": {"key": "text"}, "name": {"dtype": "F32", "shape": [2, 3], "data_offsets":
 * [0, 24]}}</pre>
 *
 * <p>Offsets count from the header's end. Read in one pass without a tree, so that memory grows
 * only with the tensors that are really named. A fault throws {@link IllegalArgumentException}.
 *
 * @param entries in the order of their bytes
 */
record SafeTensorsHeader(Map<String, String> metadata, List<Entry> entries) {
  private static final String METADATA = "__metadata__";
  private static final JsonFactory JSON =
      JsonFactory.builder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION).build();

  /**
   * @param begin first byte
   * @param end the byte after the last
   */
  record Entry(String name, ElementType type, List<Integer> dims, long begin, long end) {
    int elements() {
      return (int) ((end - begin) / type.bytes);
    }
  }

  static SafeTensorsHeader parse(byte[] json) throws IOException {
    if (json.length == 0 || json[0] != '{') {
      throw new IllegalArgumentException("the header is not a JSON object");
    }
    Map<String, String> metadata = new TreeMap<>();
    List<Entry> entries = new ArrayList<>();
    try (JsonParser in = JSON.createParser(json)) {
      in.nextToken();
      while (in.nextToken() == JsonToken.FIELD_NAME) {
        String name = in.currentName();
        in.nextToken();
        if (name.equals(METADATA)) {
          readMetadata(in, metadata);
        } else {
          entries.add(readEntry(in, name));
        }
      }
      if (in.nextToken() != null) {
        throw new IllegalArgumentException("text stands after the header's JSON object");
      }
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException(
          "the header is not valid JSON: " + e.getOriginalMessage(), e);
    }
    entries.sort(Comparator.comparingLong(Entry::begin).thenComparingLong(Entry::end));
    return new SafeTensorsHeader(Collections.unmodifiableMap(metadata), List.copyOf(entries));
  }

  /** Checks that the tensors fill {@code dataBytes} one after the other, without gap or overlap. */
  void checkFills(long dataBytes) {
    long end = 0;
    for (Entry entry : entries) {
      if (entry.begin != end) {
        throw new IllegalArgumentException(
            "tensor \"%s\": its data begins at byte %d; expected %d, where the tensor before ends"
                .formatted(entry.name, entry.begin, end));
      }
      end = entry.end;
    }
    if (end != dataBytes) {
      throw new IllegalArgumentException(
          "the tensors take %d bytes, the file holds %d after its header".formatted(end, dataBytes)
              + (end > dataBytes ? "; it was cut short" : ""));
    }
  }

  /** The header's JSON for F32 tensors in the order given, padded with spaces to 8 bytes. */
  static byte[] toBytes(Map<String, String> metadata, Map<String, SafeTensors.Tensor> tensors)
      throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (JsonGenerator out = JSON.createGenerator(bytes)) {
      out.writeStartObject();
      if (!metadata.isEmpty()) {
        out.writeObjectFieldStart(METADATA);
        for (Map.Entry<String, String> entry : metadata.entrySet()) {
          out.writeStringField(entry.getKey(), entry.getValue());
        }
        out.writeEndObject();
      }
      long begin = 0;
      for (Map.Entry<String, SafeTensors.Tensor> entry : tensors.entrySet()) {
        SafeTensors.Tensor tensor = entry.getValue();
        long end = begin + (long) tensor.values().length * Float.BYTES;
        int[] dims = tensor.dims().stream().mapToInt(Integer::intValue).toArray();
        out.writeObjectFieldStart(entry.getKey());
        out.writeStringField("dtype", ElementType.F32.name());
        out.writeFieldName("shape");
        out.writeArray(dims, 0, dims.length);
        out.writeFieldName("data_offsets");
        out.writeArray(new long[] {begin, end}, 0, 2);
        out.writeEndObject();
        begin = end;
      }
      out.writeEndObject();
    }
    bytes.write(" ".repeat(-bytes.size() & 7).getBytes(StandardCharsets.US_ASCII));
    return bytes.toByteArray();
  }

  private static void readMetadata(JsonParser in, Map<String, String> metadata) throws IOException {
    expect(in, JsonToken.START_OBJECT, METADATA + ": expected an object of strings");
    while (in.nextToken() == JsonToken.FIELD_NAME) {
      String key = in.currentName();
      in.nextToken();
      expect(in, JsonToken.VALUE_STRING, METADATA + ": \"" + key + "\" is not a string");
      metadata.put(key, in.getText());
    }
  }

  private static Entry readEntry(JsonParser in, String name) throws IOException {
    String where = "tensor \"" + name + "\": ";
    expect(in, JsonToken.START_OBJECT, where + "expected an object");
    ElementType type = null;
    List<Long> shape = null;
    List<Long> offsets = null;
    while (in.nextToken() == JsonToken.FIELD_NAME) {
      String key = in.currentName();
      in.nextToken();
      switch (key) {
        case "dtype" -> type = readType(in, where);
        case "shape" -> shape = readLongs(in, where + "shape");
        case "data_offsets" -> offsets = readLongs(in, where + "data_offsets");
        default -> throw new IllegalArgumentException(where + "unknown key \"" + key + "\"");
      }
    }
    if (type == null || shape == null || offsets == null) {
      throw new IllegalArgumentException(where + "expected dtype, shape and data_offsets");
    }
    return checked(where, name, type, shape, offsets);
  }

  private static Entry checked(
      String where, String name, ElementType type, List<Long> shape, List<Long> offsets) {
    if (offsets.size() != 2 || offsets.get(0) > offsets.get(1)) {
      throw new IllegalArgumentException(
          where + "data_offsets=" + offsets + "; expected [begin, end]");
    }
    long elements = 1;
    for (long dim : shape) {
      if (dim > Integer.MAX_VALUE || elements * dim > Integer.MAX_VALUE - 8) {
        throw new IllegalArgumentException(where + "shape=" + shape + " is too large to be read");
      }
      elements *= dim;
    }
    long begin = offsets.get(0);
    long end = offsets.get(1);
    if (end - begin != elements * type.bytes) {
      throw new IllegalArgumentException(
          where
              + "shape=%s of %s takes %d bytes, data_offsets=%s hold %d"
                  .formatted(shape, type, elements * type.bytes, offsets, end - begin));
    }
    List<Integer> dims = shape.stream().map(Math::toIntExact).toList();
    return new Entry(name, type, dims, begin, end);
  }

  private static ElementType readType(JsonParser in, String where) throws IOException {
    expect(in, JsonToken.VALUE_STRING, where + "dtype is not a string");
    String found = in.getText();
    return Arrays.stream(ElementType.values())
        .filter(type -> type.name().equals(found))
        .findAny()
        .orElseThrow(
            () ->
                new IllegalArgumentException(
                    where
                        + "dtype=\""
                        + found
                        + "\"; those that can be read are "
                        + Arrays.toString(ElementType.values())));
  }

  private static List<Long> readLongs(JsonParser in, String where) throws IOException {
    String message = where + ": expected an array of whole numbers from 0";
    expect(in, JsonToken.START_ARRAY, message);
    List<Long> values = new ArrayList<>();
    while (in.nextToken() != JsonToken.END_ARRAY) {
      expect(in, JsonToken.VALUE_NUMBER_INT, message);
      if (in.getLongValue() < 0) {
        throw new IllegalArgumentException(message);
      }
      values.add(in.getLongValue());
    }
    return values;
  }

  private static void expect(JsonParser in, JsonToken token, String message) {
    if (in.currentToken() != token) {
      throw new IllegalArgumentException(message);
    }
  }
}
