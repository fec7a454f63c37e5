package convtrain.config;

import java.util.HashMap;
import java.util.Map;

/**
 * Where each value came from, by JSON path ({@code model.layers[4].groups}): {@code file:line}, or
 * the override that set it.
 */
final class Places {
  private final Map<String, String> places = new HashMap<>();

  void put(String path, String place) {
    places.put(path, place);
  }

  /** The value at {@code path} and all under it now come from {@code place}. */
  void replace(String path, String place) {
    places
        .keySet()
        .removeIf(
            known ->
                known.startsWith(path)
                    && known.length() > path.length()
                    && ".[".indexOf(known.charAt(path.length())) >= 0);
    places.put(path, place);
  }

  /** The place of the value, or of the nearest value around it. */
  String of(String path) {
    String at = path;
    while (!places.containsKey(at) && !at.isEmpty()) {
      at = parent(at);
    }
    return places.getOrDefault(at, "run file");
  }

  static String child(String path, String key) {
    return path.isEmpty() ? key : path + "." + key;
  }

  static String child(String path, int index) {
    return path + "[" + index + "]";
  }

  static String parent(String path) {
    return path.substring(0, Math.max(0, Math.max(path.lastIndexOf('.'), path.lastIndexOf('['))));
  }
}
