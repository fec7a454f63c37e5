package convtrain.testing;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;

/**
 * Values that PyTorch computed, from {@code src/test/resources/golden}; the scripts beside the
 * tests' Java tree ({@code src/test/python}) make them and say what each file holds.
 */
public final class Golden {
  /**
   * A tensor in PyTorch's row-major order. Doubles hold fp32, fp64 and int32 values exactly.
   *
   * @param dims empty of a scalar
   */
  public record Tensor(List<Integer> dims, double[] values) {
    /** The values as fp32, which most are stored in. */
    public float[] floats() {
      float[] floats = new float[values.length];
      for (int i = 0; i < floats.length; i++) {
        floats[i] = (float) values[i];
      }
      return floats;
    }

    /** The values as int32: labels, counts. */
    public int[] ints() {
      int[] ints = new int[values.length];
      for (int i = 0; i < ints.length; i++) {
        ints[i] = (int) values[i];
      }
      return ints;
    }
  }

  /**
   * One example.
   *
   * @param name unique in its file
   * @param words what it was made from: {@code model}, {@code optimizer} in the run file's words
   * @param tensors by name: {@code x}, {@code gradients/conv2d1.weight}
   */
  public record Case(String name, JsonNode words, Map<String, Tensor> tensors) {
    /** A tensor that must be there. */
    public Tensor tensor(String tensor) {
      Tensor found = tensors.get(tensor);
      if (found == null) {
        throw new NoSuchElementException(
            name + " has no tensor \"" + tensor + "\"; it has " + tensors.keySet());
      }
      return found;
    }

    public boolean has(String tensor) {
      return tensors.containsKey(tensor);
    }

    /** The tensors of a group without its name: {@code group("gradients")} has conv2d1.weight. */
    public Map<String, Tensor> group(String group) {
      Map<String, Tensor> found = new LinkedHashMap<>();
      tensors.forEach(
          (key, tensor) -> {
            if (key.startsWith(group + "/")) {
              found.put(key.substring(group.length() + 1), tensor);
            }
          });
      return found;
    }

    /** The words under a key as a record: {@code spec("model", ModelSpec.class)}. */
    public <T> T spec(String key, Class<T> type) {
      return SpecJson.read(words.get(key), type);
    }

    @Override
    public String toString() {
      return name;
    }
  }

  private final String torch;
  private final List<Case> cases;

  private Golden(String torch, List<Case> cases) {
    this.torch = torch;
    this.cases = List.copyOf(cases);
  }

  /** Reads a file of {@code golden/} by its name without {@code .safetensors}. */
  public static Golden load(String name) {
    return parse(ByteBuffer.wrap(bytes(name + ".safetensors")));
  }

  /** The bytes of a file of {@code golden/}. */
  public static byte[] bytes(String file) {
    try (InputStream in = Golden.class.getResourceAsStream("/golden/" + file)) {
      if (in == null) {
        throw new NoSuchElementException("no test resource golden/" + file);
      }
      return in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** The version of PyTorch that computed the values. */
  public String torch() {
    return torch;
  }

  /** All cases, in the file's order. */
  public List<Case> cases() {
    return cases;
  }

  /** A case that must be there. */
  public Case named(String name) {
    return cases.stream()
        .filter(each -> each.name().equals(name))
        .findFirst()
        .orElseThrow(() -> new NoSuchElementException("no case \"" + name + "\" in " + cases));
  }

  /** Safetensors: 8 bytes of header length, a JSON header, the data; all little-endian. */
  static Golden parse(ByteBuffer file) {
    file.order(ByteOrder.LITTLE_ENDIAN);
    byte[] text = new byte[Math.toIntExact(file.getLong())];
    file.get(text);
    JsonNode header = SpecJson.parse(new String(text, StandardCharsets.UTF_8));
    ByteBuffer data = file.slice().order(ByteOrder.LITTLE_ENDIAN);
    JsonNode metadata = header.get("__metadata__");
    List<Case> cases = new ArrayList<>();
    for (JsonNode words : SpecJson.parse(metadata.get("cases").textValue())) {
      cases.add(new Case(words.get("name").textValue(), words, new LinkedHashMap<>()));
    }
    Map<String, Case> byName = new LinkedHashMap<>();
    cases.forEach(each -> byName.put(each.name(), each));
    for (Map.Entry<String, JsonNode> entry : header.properties()) {
      if (!entry.getKey().equals("__metadata__")) {
        int slash = entry.getKey().indexOf('/');
        byName
            .get(entry.getKey().substring(0, slash))
            .tensors()
            .put(entry.getKey().substring(slash + 1), tensor(entry.getValue(), data));
      }
    }
    return new Golden(metadata.get("torch").textValue(), cases);
  }

  private static Tensor tensor(JsonNode description, ByteBuffer data) {
    String dtype = description.get("dtype").textValue();
    int size = dtype.equals("F64") ? 8 : 4;
    List<Integer> dims = new ArrayList<>();
    int elements = 1;
    for (JsonNode dim : description.get("shape")) {
      dims.add(dim.intValue());
      elements = Math.multiplyExact(elements, dim.intValue());
    }
    int start = description.get("data_offsets").get(0).intValue();
    int end = description.get("data_offsets").get(1).intValue();
    if (end - start != elements * size) {
      throw new IllegalArgumentException(
          "%d bytes for %d values of %s".formatted(end - start, elements, dtype));
    }
    double[] values = new double[elements];
    for (int i = 0; i < elements; i++) {
      int at = start + i * size;
      values[i] =
          switch (dtype) {
            case "F32" -> data.getFloat(at);
            case "F64" -> data.getDouble(at);
            case "I32" -> data.getInt(at);
            default -> throw new IllegalArgumentException("unexpected dtype " + dtype);
          };
    }
    return new Tensor(List.copyOf(dims), values);
  }
}
