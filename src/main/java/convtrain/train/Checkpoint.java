package convtrain.train;

import convtrain.backend.StepClock;
import convtrain.backend.StepMetrics;
import convtrain.plan.RunState;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * All that a run needs to go on to the bit, as one safetensors file: {@link RunState#stateTensors},
 * and in the metadata the clock, the sums of the epoch in progress, the position and the run file.
 * Every random draw follows from the seed and these.
 *
 * @param position how far the run came
 * @param content the file
 */
public record Checkpoint(Position position, SafeTensors content) {
  private static final String POSITION = "convtrain.position";
  private static final String CLOCK = "convtrain.clock";
  private static final String METRICS = "convtrain.metrics";
  private static final List<String> KEYS = List.of(TrainedModel.RUN, POSITION, CLOCK, METRICS);

  /**
   * Of a run as it stands; waits for the device.
   *
   * @param run the resolved run file
   */
  static Checkpoint of(String run, Position position, RunState state) {
    TreeMap<String, SafeTensors.Tensor> tensors = new TreeMap<>();
    state
        .stateTensors()
        .forEach(
            (name, dims) ->
                tensors.put(name, new SafeTensors.Tensor(dims, state.fetchState(name))));
    StepMetrics sums = state.metrics();
    Map<String, String> metadata =
        Map.of(
            TrainedModel.RUN,
            run,
            POSITION,
            position.toJson(),
            CLOCK,
            HexFormat.of().formatHex(state.fetchClock()),
            METRICS,
            sums.lossSum() + " " + sums.correct() + " " + sums.samples());
    return new Checkpoint(position, new SafeTensors(metadata, tensors));
  }

  /** Writes it whole or not at all. */
  void write(Path file) throws IOException {
    content.write(file);
  }

  /**
   * Reads what {@link #write} wrote.
   *
   * @throws SafeTensorsException if it is something else
   */
  static Checkpoint read(Path file) throws IOException {
    SafeTensors content = SafeTensors.read(file);
    for (String key : KEYS) {
      if (!content.metadata().containsKey(key)) {
        throw new SafeTensorsException(
            file,
            "its metadata has no \"" + key + "\"; expected a checkpoint of convtrain train",
            null);
      }
    }
    try {
      Checkpoint read = new Checkpoint(Position.parse(content.metadata().get(POSITION)), content);
      read.clock();
      read.sums();
      return read;
    } catch (IllegalArgumentException e) {
      throw new SafeTensorsException(file, "malformed checkpoint: " + e.getMessage(), e);
    }
  }

  /**
   * Puts all of it on the device; nothing is changed unless all of it fits.
   *
   * @throws IllegalArgumentException naming what does not fit
   */
  void restore(RunState state) {
    SortedMap<String, SafeTensors.Tensor> tensors = content.tensors();
    Map<String, List<Integer>> expected = state.stateTensors();
    expected.forEach(
        (name, dims) -> {
          SafeTensors.Tensor found = tensors.get(name);
          if (found == null || !found.dims().equals(dims)) {
            throw new IllegalArgumentException(
                "%s: found %s, expected %s"
                    .formatted(name, found == null ? "nothing" : found.dims(), dims));
          }
        });
    byte[] clock = clock();
    StepMetrics sums = sums();
    expected.forEach((name, dims) -> state.loadState(name, dims, tensors.get(name).values()));
    state.loadClock(clock);
    state.loadMetrics(sums);
  }

  private byte[] clock() {
    String hex = content.metadata().get(CLOCK);
    if (!hex.matches("\\p{XDigit}*") || hex.length() != 2 * StepClock.BYTES) {
      throw new IllegalArgumentException(
          "%s: found \"%s\", expected %d hexadecimal digits"
              .formatted(CLOCK, hex, 2 * StepClock.BYTES));
    }
    return HexFormat.of().parseHex(hex);
  }

  private StepMetrics sums() {
    String text = content.metadata().get(METRICS);
    try {
      String[] sums = text.split(" ", -1);
      if (sums.length == 3) {
        return new StepMetrics(
            Double.parseDouble(sums[0]), Long.parseLong(sums[1]), Long.parseLong(sums[2]), -1);
      }
    } catch (NumberFormatException e) {
      throw malformedSums(text, e);
    }
    throw malformedSums(text, null);
  }

  private static IllegalArgumentException malformedSums(String found, Exception cause) {
    return new IllegalArgumentException(
        "%s: found \"%s\", expected loss, hits and samples".formatted(METRICS, found), cause);
  }
}
