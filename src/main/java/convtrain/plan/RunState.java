package convtrain.plan;

import convtrain.backend.Backend;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.Owned;
import convtrain.backend.ParameterLayout;
import convtrain.backend.Readback;
import convtrain.backend.StepClock;
import convtrain.backend.StepMetrics;
import convtrain.backend.UpdateRule;
import convtrain.graph.ModelGraph;
import convtrain.graph.Node;
import convtrain.graph.UpdateSpec;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a run keeps on the device from step to step: parameters, their moving averages, gradients
 * and optimizer state (each one flat buffer, see {@link FlatLayout}), the step clock, the
 * schedule's table, and the metrics.
 */
public final class RunState implements AutoCloseable {
  private static final long SMALLEST_BYTES = 64;

  /** One tensor of the state: where it lies in which buffer. */
  private record Kept(FlatLayout.Place place, DeviceBuffer flat) {}

  private final Owned owned = new Owned();
  private final Map<String, Long> bytesByPart = new LinkedHashMap<>();
  private final FlatLayout layout;
  private final UpdateSpec update;
  private final DeviceBuffer parameters;
  private final DeviceBuffer averages;
  private final DeviceBuffer gradients;
  private final DeviceBuffer gradientSum;
  private final DeviceBuffer optimizerState;
  private final DeviceBuffer schedule;
  private final DeviceBuffer clock;
  private final DeviceBuffer metrics;
  private final Map<String, Kept> kept = new LinkedHashMap<>();
  private final ByteBuffer hostMetrics =
      ByteBuffer.allocateDirect(StepMetrics.BYTES).order(ByteOrder.nativeOrder());

  /**
   * Allocates everything; parameters are zero until {@link #initialize} or {@link #load}.
   *
   * @param batchSize the main plan's batch size, for which tensor layouts are chosen
   * @param update how gradients become weights, or null if nothing is trained
   * @param scheduleSteps updates of the whole run
   */
  public RunState(
      Backend backend, ModelGraph graph, int batchSize, UpdateSpec update, long scheduleSteps) {
    this.update = update;
    layout = owned.add(new FlatLayout(graph, backend.ops(batchSize, true)));
    try {
      long trained = layout.trainedBytes();
      boolean accumulates = update != null && update.accumulates();
      int slots = update == null ? 0 : update.optimizer().stateSlots();
      parameters = allocate(backend, "parameters", layout.bytes());
      gradients = update == null ? null : allocate(backend, "gradients", trained);
      gradientSum = accumulates ? allocate(backend, "gradients of several batches", trained) : null;
      optimizerState =
          slots == 0
              ? null
              : allocate(backend, "optimizer state", Math.multiplyExact(trained, slots));
      averages =
          update == null || update.ema() == null
              ? null
              : allocate(backend, "moving averages", layout.bytes());
      String steps = "schedule, clock and metrics";
      schedule = allocate(backend, steps, Math.multiplyExact(scheduleSteps, 2L * Float.BYTES));
      clock = allocate(backend, steps, StepClock.BYTES);
      metrics = allocate(backend, steps, StepMetrics.BYTES);
      StepMetrics.clear(metrics);
      listKept(slots);
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, this);
      throw e;
    }
  }

  private DeviceBuffer allocate(Backend backend, String part, long bytes) {
    DeviceBuffer buffer = owned.add(backend.allocate(Math.max(bytes, SMALLEST_BYTES)));
    bytesByPart.merge(part, buffer.bytes(), Long::sum);
    return buffer;
  }

  private void listKept(int slots) {
    keep("", parameters, false);
    if (averages != null) {
      keep("ema.", averages, false);
    }
    for (int slot = 0; slot < slots; slot++) {
      long bytes = layout.trainedBytes();
      keep("optimizer." + slot + ".", optimizerState.slice(slot * bytes, bytes), true);
    }
    if (gradientSum != null) {
      keep("gradient_sum.", gradientSum, true);
    }
  }

  private void keep(String prefix, DeviceBuffer flat, boolean trainedOnly) {
    for (FlatLayout.Place place : layout.places()) {
      if (place.spec().trainable() || !trainedOnly) {
        kept.put(prefix + place.name(), new Kept(place, flat));
      }
    }
  }

  /** Draws every tensor's initial values; the same for a seed on every machine and backend. */
  public void initialize(long seed) {
    int ordinal = 0;
    for (FlatLayout.Place place : layout.places()) {
      int elements = place.spec().elements();
      write(place, place.spec().start().draw(elements, seed, ordinal++));
    }
  }

  /** Names and dimensions of the network's tensors, trained ones first. */
  public Map<String, List<Integer>> tensors() {
    Map<String, List<Integer>> dims = new LinkedHashMap<>();
    layout.places().forEach(place -> dims.put(place.name(), place.spec().dims()));
    return dims;
  }

  /** A tensor's values as they are trained, in PyTorch's order. */
  public float[] fetch(String name) {
    return layout.find(name).fetch(parameters);
  }

  /** A tensor's values as they are scored and saved: its moving average if one is kept. */
  public float[] fetchScored(String name) {
    return layout.find(name).fetch(scored());
  }

  /** A trained tensor's gradient of the last batch, in PyTorch's order. */
  public float[] fetchGradient(String name) {
    return layout.find(name).fetch(gradients);
  }

  /**
   * Sets a tensor; its moving average starts from there.
   *
   * @param values in PyTorch's order
   * @throws IllegalArgumentException naming the tensor if it is unknown or of another size
   */
  public void load(String name, List<Integer> dims, float[] values) {
    FlatLayout.Place place = layout.find(name);
    checkDims(name, place, dims);
    write(place, values);
  }

  private void write(FlatLayout.Place place, float[] values) {
    place.write(values, parameters);
    if (averages != null) {
      place.write(values, averages);
    }
  }

  private static void checkDims(String name, FlatLayout.Place place, List<Integer> dims) {
    if (!place.spec().dims().equals(dims)) {
      throw new IllegalArgumentException(
          "%s: found %s, expected %s".formatted(name, dims, place.spec().dims()));
    }
  }

  /**
   * Names and dimensions of all that a run must have back to continue as if it had not been cut
   * off, beside the clock: each of the network's tensors {@code conv1.weight}, its moving average
   * {@code ema.conv1.weight}, the optimizer's values {@code optimizer.0.conv1.weight} (momentum, or
   * Adam's first moment) and {@code optimizer.1.conv1.weight}, and, where gradients are
   * accumulated, those that wait for an update {@code gradient_sum.conv1.weight}.
   */
  public Map<String, List<Integer>> stateTensors() {
    Map<String, List<Integer>> dims = new LinkedHashMap<>();
    kept.forEach((name, tensor) -> dims.put(name, tensor.place.spec().dims()));
    return dims;
  }

  /** The values of one of {@link #stateTensors}, in PyTorch's order. */
  public float[] fetchState(String name) {
    Kept tensor = findKept(name);
    return tensor.place.fetch(tensor.flat);
  }

  /**
   * Sets one of {@link #stateTensors} and no other.
   *
   * @param values in PyTorch's order
   * @throws IllegalArgumentException naming the tensor if it is unknown or of another size
   */
  public void loadState(String name, List<Integer> dims, float[] values) {
    Kept tensor = findKept(name);
    checkDims(name, tensor.place, dims);
    tensor.place.write(values, tensor.flat);
  }

  private Kept findKept(String name) {
    Kept tensor = kept.get(name);
    if (tensor == null) {
      throw new IllegalArgumentException(FlatLayout.unknown(name, kept.keySet()));
    }
    return tensor;
  }

  /**
   * The clock's {@link StepClock#BYTES}, the backend's own part (the state of the loss scale)
   * included; to be given back to the same backend.
   */
  public byte[] fetchClock() {
    ByteBuffer bytes = ByteBuffer.allocateDirect(StepClock.BYTES).order(ByteOrder.nativeOrder());
    clock.read(0, bytes);
    byte[] copy = new byte[StepClock.BYTES];
    bytes.get(copy);
    return copy;
  }

  /** Sets the clock to what {@link #fetchClock} gave. */
  public void loadClock(byte[] bytes) {
    if (bytes.length != StepClock.BYTES) {
      throw new IllegalArgumentException(
          "a clock of %d bytes; expected %d".formatted(bytes.length, StepClock.BYTES));
    }
    ByteBuffer copy = ByteBuffer.allocateDirect(bytes.length).order(ByteOrder.nativeOrder());
    clock.write(0, copy.put(bytes).flip());
  }

  /**
   * Writes the schedule's table.
   *
   * @param rates two floats per update: learning rate, momentum (or beta1)
   */
  public void setSchedule(float[] rates) {
    ByteBuffer bytes =
        ByteBuffer.allocateDirect(rates.length * Float.BYTES).order(ByteOrder.nativeOrder());
    bytes.asFloatBuffer().put(rates);
    schedule.write(0, bytes);
  }

  /** Updates done so far. */
  public long step() {
    return StepClock.read(clock);
  }

  /** What the loss op has added up since {@link #clearMetrics}. */
  public StepMetrics metrics() {
    return StepMetrics.read(metrics, hostMetrics);
  }

  /** Continues from sums that {@link #metrics} gave. */
  public void loadMetrics(StepMetrics sums) {
    sums.write(metrics);
  }

  /** What reads the metrics while steps run; to be closed before this. */
  public Readback metricsReadback(Backend backend) {
    return backend.readback(metrics);
  }

  public void clearMetrics() {
    StepMetrics.clear(metrics);
  }

  /** Bytes of its buffers by what they hold, in words. */
  public Map<String, Long> bytesByPart() {
    return Collections.unmodifiableMap(bytesByPart);
  }

  /** Bytes of all its buffers together. */
  public long bytes() {
    return bytesByPart.values().stream().mapToLong(Long::longValue).sum();
  }

  Map<String, ParameterLayout> layoutsOf(Node node) {
    return layout.layoutsOf(node);
  }

  /** A layer's tensors as they are trained. */
  Map<String, DeviceBuffer> parametersOf(Node node) {
    return layout.slices(node, parameters, false);
  }

  /** A layer's tensors as they are scored. */
  Map<String, DeviceBuffer> scoredOf(Node node) {
    return layout.slices(node, scored(), false);
  }

  Map<String, DeviceBuffer> gradientsOf(Node node) {
    return layout.slices(node, gradients, true);
  }

  private DeviceBuffer scored() {
    return averages == null ? parameters : averages;
  }

  /** What the update computes; without {@code decay_bias_and_norm} decay ends with the weights. */
  UpdateRule updateRule() {
    boolean sparesVectors = !update.optimizer().decayBiasAndNorm();
    long decayedBytes = sparesVectors ? layout.weightBytes() : layout.trainedBytes();
    return new UpdateRule(update.optimizer(), update.clipGradNorm(), decayedBytes / Float.BYTES);
  }

  UpdateSpec update() {
    return update;
  }

  DeviceBuffer parameters() {
    return parameters.slice(0, layout.bytes());
  }

  DeviceBuffer averages() {
    return averages.slice(0, layout.bytes());
  }

  DeviceBuffer trained() {
    return parameters.slice(0, layout.trainedBytes());
  }

  DeviceBuffer gradients() {
    return gradients.slice(0, layout.trainedBytes());
  }

  DeviceBuffer gradientSum() {
    return gradientSum.slice(0, layout.trainedBytes());
  }

  DeviceBuffer optimizerState() {
    return optimizerState;
  }

  DeviceBuffer schedule() {
    return schedule;
  }

  DeviceBuffer clock() {
    return clock;
  }

  DeviceBuffer metricsBuffer() {
    return metrics;
  }

  @Override
  public void close() {
    owned.close();
  }
}
