package convtrain.plan;

import convtrain.backend.Backend;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.OpFactory;
import convtrain.backend.Owned;
import convtrain.backend.ParameterLayout;
import convtrain.backend.Readback;
import convtrain.backend.StepClock;
import convtrain.backend.StepMetrics;
import convtrain.graph.ModelGraph;
import convtrain.graph.Names;
import convtrain.graph.Node;
import convtrain.graph.OptimizerSpec;
import convtrain.graph.ParameterSpec;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What a run keeps on the device from step to step: parameters, gradients and optimizer state (each
 * one flat buffer), the step clock, the schedule's table, and the metrics.
 *
 * <p>Trained tensors stand first in the flat buffer, running statistics behind them; each starts on
 * a 64-byte boundary, and what lies between stays zero.
 */
public final class RunState implements AutoCloseable {
  private static final long ALIGNMENT = 64;

  /**
   * One tensor of the network, by its name in files.
   *
   * @param node the layer that owns it
   * @param spec its dimensions
   * @param layout how it is stored
   * @param offset bytes from the start of the flat buffer
   */
  private record Tensor(Node node, ParameterSpec spec, ParameterLayout layout, long offset) {}

  private final Map<String, Tensor> tensors = new LinkedHashMap<>();
  private final List<DeviceBuffer> allocations = new ArrayList<>();
  private final Owned owned = new Owned();
  private final long trainedBytes;
  private final DeviceBuffer parameters;
  private final DeviceBuffer gradients;
  private final DeviceBuffer optimizerState;
  private final DeviceBuffer schedule;
  private final DeviceBuffer clock;
  private final DeviceBuffer metrics;
  private final ByteBuffer hostMetrics =
      ByteBuffer.allocateDirect(StepMetrics.BYTES).order(ByteOrder.nativeOrder());

  /**
   * Allocates everything; parameters are zero until {@link #initialize} or {@link #load}.
   *
   * @param batchSize the main plan's batch size, for which tensor layouts are chosen
   * @param optimizer the update formula, or null if nothing is trained
   * @param scheduleSteps steps of the whole run
   */
  public RunState(
      Backend backend,
      ModelGraph graph,
      int batchSize,
      OptimizerSpec optimizer,
      long scheduleSteps) {
    try {
      OpFactory ops = backend.ops(batchSize, true);
      long trained = lay(graph, ops, true, 0);
      trainedBytes = trained;
      long all = lay(graph, ops, false, trained);
      parameters = allocate(backend, all);
      gradients = optimizer == null ? null : allocate(backend, trained);
      int slots = optimizer == null ? 0 : optimizer.stateSlots();
      optimizerState = slots == 0 ? null : allocate(backend, Math.multiplyExact(trained, slots));
      schedule = allocate(backend, Math.multiplyExact(scheduleSteps, 2L * Float.BYTES));
      clock = allocate(backend, StepClock.BYTES);
      metrics = allocate(backend, StepMetrics.BYTES);
      StepMetrics.clear(metrics);
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, this);
      throw e;
    }
  }

  private DeviceBuffer allocate(Backend backend, long bytes) {
    DeviceBuffer buffer = owned.add(backend.allocate(Math.max(bytes, ALIGNMENT)));
    allocations.add(buffer);
    return buffer;
  }

  private long lay(ModelGraph graph, OpFactory ops, boolean trainable, long start) {
    long offset = start;
    for (Node node : graph.nodes()) {
      for (ParameterSpec spec : node.parameters()) {
        if (spec.trainable() == trainable) {
          ParameterLayout layout = ops.parameterLayout(node, spec);
          tensors.put(node.tensorName(spec), new Tensor(node, spec, layout, offset));
          offset += (layout.bytes() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        }
      }
    }
    return offset;
  }

  /** Draws every tensor's initial values; the same for a seed on every machine and backend. */
  public void initialize(long seed) {
    int ordinal = 0;
    for (Tensor tensor : tensors.values()) {
      int elements = tensor.spec.elements();
      write(tensor, tensor.spec.start().draw(elements, seed, ordinal++));
    }
  }

  /** Names and dimensions of all tensors, trained ones first. */
  public Map<String, List<Integer>> tensors() {
    Map<String, List<Integer>> dims = new LinkedHashMap<>();
    tensors.forEach((name, tensor) -> dims.put(name, tensor.spec.dims()));
    return dims;
  }

  /** A tensor's values in PyTorch's order. */
  public float[] fetch(String name) {
    Tensor tensor = find(name);
    float[] values = new float[tensor.spec.elements()];
    tensor.layout.read(place(tensor, parameters), values);
    return values;
  }

  /** A trained tensor's gradient of the last step, in PyTorch's order. */
  public float[] fetchGradient(String name) {
    Tensor tensor = find(name);
    float[] values = new float[tensor.spec.elements()];
    tensor.layout.read(place(tensor, gradients), values);
    return values;
  }

  /**
   * Sets a tensor.
   *
   * @param values in PyTorch's order
   * @throws IllegalArgumentException naming the tensor if it is unknown or of another size
   */
  public void load(String name, List<Integer> dims, float[] values) {
    Tensor tensor = find(name);
    if (!tensor.spec.dims().equals(dims)) {
      throw new IllegalArgumentException(
          "%s: found %s, expected %s".formatted(name, dims, tensor.spec.dims()));
    }
    write(tensor, values);
  }

  private void write(Tensor tensor, float[] values) {
    tensor.layout.write(values, place(tensor, parameters));
  }

  private Tensor find(String name) {
    Tensor tensor = tensors.get(name);
    if (tensor == null) {
      List<String> near = Names.nearestFirst(name, tensors.keySet());
      throw new IllegalArgumentException(
          "%s: this network has no such tensor; nearest: %s"
              .formatted(name, String.join(", ", near.subList(0, Math.min(3, near.size())))));
    }
    return tensor;
  }

  private static DeviceBuffer place(Tensor tensor, DeviceBuffer flat) {
    return flat.slice(tensor.offset, tensor.layout.bytes());
  }

  /**
   * Writes the schedule's table.
   *
   * @param rates two floats per step: learning rate, momentum (or beta1)
   */
  public void setSchedule(float[] rates) {
    ByteBuffer bytes =
        ByteBuffer.allocateDirect(rates.length * Float.BYTES).order(ByteOrder.nativeOrder());
    bytes.asFloatBuffer().put(rates);
    schedule.write(0, bytes);
  }

  /** Steps done so far. */
  public long step() {
    return StepClock.read(clock);
  }

  /** What the loss op has added up since {@link #clearMetrics}. */
  public StepMetrics metrics() {
    return StepMetrics.read(metrics, hostMetrics);
  }

  /** What reads the metrics while steps run; to be closed before this. */
  public Readback metricsReadback(Backend backend) {
    return backend.readback(metrics);
  }

  public void clearMetrics() {
    StepMetrics.clear(metrics);
  }

  /** Bytes of all its buffers together. */
  public long bytes() {
    return allocations.stream().mapToLong(DeviceBuffer::bytes).sum();
  }

  Map<String, ParameterLayout> layoutsOf(Node node) {
    Map<String, ParameterLayout> layouts = new LinkedHashMap<>();
    for (ParameterSpec spec : node.parameters()) {
      layouts.put(spec.name(), find(node.tensorName(spec)).layout);
    }
    return layouts;
  }

  Map<String, DeviceBuffer> parametersOf(Node node) {
    return slices(node, parameters, false);
  }

  Map<String, DeviceBuffer> gradientsOf(Node node) {
    return slices(node, gradients, true);
  }

  private Map<String, DeviceBuffer> slices(Node node, DeviceBuffer flat, boolean trainedOnly) {
    Map<String, DeviceBuffer> slices = new LinkedHashMap<>();
    for (ParameterSpec spec : node.parameters()) {
      if (spec.trainable() || !trainedOnly) {
        slices.put(spec.name(), place(find(node.tensorName(spec)), flat));
      }
    }
    return slices;
  }

  DeviceBuffer trained() {
    return parameters.slice(0, trainedBytes);
  }

  DeviceBuffer gradients() {
    return gradients.slice(0, trainedBytes);
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
    tensors.values().forEach(tensor -> tensor.layout.close());
  }
}
