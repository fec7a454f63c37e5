package convtrain.train;

import convtrain.graph.Names;
import convtrain.plan.RunState;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/** A network's tensors to and from safetensors, by PyTorch's names and in its order. */
public final class Weights {
  private Weights() {}

  /** All tensors of a run as they are scored: moving averages where it keeps them. */
  public static SafeTensors save(RunState state, Map<String, String> metadata) {
    TreeMap<String, SafeTensors.Tensor> tensors = new TreeMap<>();
    state
        .tensors()
        .forEach(
            (name, dims) ->
                tensors.put(name, new SafeTensors.Tensor(dims, state.fetchScored(name))));
    return new SafeTensors(metadata, tensors);
  }

  /**
   * Sets all tensors of a run; nothing is changed unless every one fits.
   *
   * @throws SafeTensorsException naming the tensor that is missing, unknown, of another shape or
   *     not finite
   */
  public static void load(SafeTensors weights, RunState state) {
    Map<String, List<Integer>> expected = state.tensors();
    SortedMap<String, SafeTensors.Tensor> given = new TreeMap<>(weights.tensors());
    given.keySet().removeIf(name -> isBatchCounter(name, expected.keySet()));
    given.forEach((name, tensor) -> check(name, tensor.dims(), expected));
    for (Map.Entry<String, List<Integer>> tensor : expected.entrySet()) {
      if (!given.containsKey(tensor.getKey())) {
        throw new SafeTensorsException(
            "tensor %s %s of the network is missing from the weights; they hold: %s"
                .formatted(
                    tensor.getKey(), tensor.getValue(), nearest(tensor.getKey(), given.keySet())));
      }
    }
    given.forEach((name, tensor) -> checkFinite(name, tensor.values()));
    given.forEach((name, tensor) -> state.load(name, tensor.dims(), tensor.values()));
  }

  /**
   * Sets all tensors of a run from a file.
   *
   * @throws SafeTensorsException naming the file, and the tensor that does not fit
   */
  static void load(Path file, RunState state) throws IOException {
    SafeTensors weights = SafeTensors.read(file);
    load(file, weights, state);
  }

  /** Sets all tensors of a run; a message names the file that they came from. */
  static void load(Path file, SafeTensors weights, RunState state) {
    try {
      load(weights, state);
    } catch (SafeTensorsException e) {
      throw new SafeTensorsException(file, e.getMessage(), e);
    }
  }

  /** The name of a tensor that holds NaN or an infinity; null if none does. */
  static String firstNotFinite(RunState state) {
    for (String name : state.tensors().keySet()) {
      for (float value : state.fetch(name)) {
        if (!Float.isFinite(value)) {
          return name;
        }
      }
    }
    return null;
  }

  /** PyTorch's state of a batch norm has a counter of batches, which training does not use. */
  private static boolean isBatchCounter(String name, Collection<String> expected) {
    String counter = ".num_batches_tracked";
    return name.endsWith(counter)
        && expected.contains(name.substring(0, name.length() - counter.length()) + ".running_mean");
  }

  private static void check(String name, List<Integer> dims, Map<String, List<Integer>> expected) {
    List<Integer> wanted = expected.get(name);
    if (wanted == null) {
      throw new SafeTensorsException(
          "tensor %s %s of the weights has no place in the network; it has: %s"
              .formatted(name, dims, nearest(name, expected.keySet())));
    }
    if (!wanted.equals(dims)) {
      throw new SafeTensorsException(
          "tensor %s: the weights have %s, the network needs %s; use the model they were trained with"
              .formatted(name, dims, wanted));
    }
  }

  private static void checkFinite(String name, float[] values) {
    for (int i = 0; i < values.length; i++) {
      if (!Float.isFinite(values[i])) {
        throw new SafeTensorsException(
            "tensor %s: value %d of %d is %s; expected finite numbers: use weights from before their training diverged"
                .formatted(name, i + 1, values.length, values[i]));
      }
    }
  }

  private static String nearest(String name, Collection<String> known) {
    List<String> names = Names.nearestFirst(name, known);
    return String.join(", ", names.subList(0, Math.min(4, names.size())));
  }
}
