package convtrain.backend;

import static org.assertj.core.api.Assertions.assertThat;

import convtrain.graph.DataPlacement;
import convtrain.graph.ModelGraph;
import convtrain.graph.Node;
import convtrain.graph.OptimizerSpec;
import convtrain.graph.ParameterSpec;
import convtrain.graph.Shape;
import convtrain.testing.ArraySamples;
import convtrain.testing.Clocks;
import convtrain.testing.DeviceFloats;
import convtrain.testing.ReferenceNet;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Runs a graph op by op on a backend, from a given x and dy in PyTorch's order. Every tensor has
 * memory of its own, spoilt before each pass, and the gradient of every input is asked for.
 */
final class OpHarness implements AutoCloseable {
  static final long SEED = 0x1234_5678_9ABC_DEF0L;

  /** How a harness is made. */
  enum Mode {
    TRAINING,
    /** Layers that the backend fuses are one op. */
    TRAINING_FUSED,
    EVALUATION
  }

  private record Group(Node head, int output, LayerOp op) {}

  private final Backend backend;
  private final ModelGraph graph;
  private final OpFactory factory;
  private final OpFactory layoutFactory;
  private final boolean training;
  private final int n;
  private final List<Runnable> closers = new ArrayList<>();
  private final List<DeviceBuffer> perPass = new ArrayList<>();
  private final Map<String, ParameterLayout> layouts = new LinkedHashMap<>();
  private final Map<String, DeviceBuffer> parameters = new LinkedHashMap<>();
  private final Map<String, DeviceBuffer> gradients = new LinkedHashMap<>();
  private final Map<String, ParameterSpec> specs = new LinkedHashMap<>();
  private final List<Group> groups = new ArrayList<>();
  private final Map<Integer, DeviceBuffer> values = new HashMap<>();
  private final Map<Integer, List<DeviceBuffer>> parts = new HashMap<>();
  private final Map<Integer, DeviceBuffer> totals = new HashMap<>();
  private final Map<Integer, Op> sums = new HashMap<>();
  private final DeviceBuffer clock;
  private final Feed feed;
  private final Op stage;

  OpHarness(Backend backend, ModelGraph graph, int n, Mode mode) {
    this.backend = backend;
    this.graph = graph;
    this.n = n;
    training = mode != Mode.EVALUATION;
    factory = backend.ops(n, training);
    layoutFactory = training ? factory : backend.ops(n, true);
    clock = allocate(StepClock.BYTES);
    for (Node node : graph.nodes()) {
      node.parameters().forEach(spec -> addParameter(node, spec));
    }
    makeGroups(mode == Mode.TRAINING_FUSED);
    values.put(Node.INPUT, activation(Node.INPUT));
    groups.forEach(group -> values.put(group.output, activation(group.output)));
    feed = backend.feed(graph.input().elements(), n, DataPlacement.AUTO);
    stage = stage();
    bindAll();
  }

  private DeviceBuffer allocate(long bytes) {
    DeviceBuffer buffer = backend.allocate(bytes);
    closers.add(buffer::close);
    return buffer;
  }

  private DeviceBuffer activation(int tensor) {
    long elements = (long) n * graph.shapeOf(tensor).elements();
    DeviceBuffer buffer = allocate(elements * factory.precision().elementBytes());
    perPass.add(buffer);
    return buffer;
  }

  private void addParameter(Node node, ParameterSpec spec) {
    String name = node.tensorName(spec);
    ParameterLayout layout = layoutFactory.parameterLayout(node, spec);
    closers.add(layout::close);
    layouts.put(name, layout);
    specs.put(name, spec);
    parameters.put(name, allocate(layout.bytes()));
    if (training && spec.trainable()) {
      gradients.put(name, allocate(layout.bytes()));
    }
  }

  private void makeGroups(boolean fuse) {
    Map<Integer, Integer> uses = new HashMap<>();
    graph.nodes().forEach(node -> node.inputs().forEach(i -> uses.merge(i, 1, Integer::sum)));
    int next = 0;
    while (next < graph.nodes().size()) {
      Node head = graph.nodes().get(next++);
      List<Node> fused = new ArrayList<>();
      Node last = head;
      while (fuse
          && next < graph.nodes().size()
          && uses.getOrDefault(last.index(), 0) == 1
          && graph.nodes().get(next).inputs().equals(List.of(last.index()))
          && factory.fuses(head, fused, graph.nodes().get(next))) {
        last = graph.nodes().get(next++);
        fused.add(last);
      }
      groups.add(new Group(head, last.index(), make(head, fused)));
    }
  }

  private LayerOp make(Node head, List<Node> fused) {
    LayerOp op =
        head.spec()
            .accept(
                factory,
                new LayerContext(
                    head,
                    List.copyOf(fused),
                    Collections.nCopies(head.inputs().size(), training),
                    own(head, layouts),
                    new RandomState(SEED, clock)));
    closers.add(op::close);
    return op;
  }

  /** A step begins with staging; x is overwritten afterwards. */
  private Op stage() {
    int channels = graph.input().channels();
    float[] ones = new float[channels];
    Arrays.fill(ones, 1);
    closers.add(feed::close);
    DeviceBuffer labels = allocate((long) n * Integer.BYTES);
    Op op =
        factory.stage(
            feed,
            new Normalization(graph.input(), new float[channels], ones),
            null,
            values.get(Node.INPUT),
            labels);
    closers.add(op::close);
    return op;
  }

  private void bindAll() {
    for (int g = groups.size() - 1; g >= 0; g--) {
      Group group = groups.get(g);
      DeviceBuffer dy = training ? gradientOf(group.output) : null;
      List<DeviceBuffer> dx = new ArrayList<>();
      for (int input : group.head.inputs()) {
        DeviceBuffer part = training ? activation(input) : null;
        dx.add(part);
        parts.computeIfAbsent(input, key -> new ArrayList<>()).add(part);
      }
      LayerOp.Needs needs = group.op.needs();
      group.op.bind(
          new Binding(
              group.head.inputs().stream().map(values::get).toList(),
              values.get(group.output),
              dx,
              dy,
              own(group.head, parameters),
              own(group.head, gradients),
              memory(needs.savedBytes()),
              memory(needs.scratchBytes())));
    }
    if (training) {
      gradientOf(Node.INPUT);
    }
  }

  private DeviceBuffer memory(long bytes) {
    if (bytes == 0) {
      return null;
    }
    DeviceBuffer buffer = allocate(bytes);
    perPass.add(buffer);
    return buffer;
  }

  /** The gradient of a tensor whose readers are all bound: the sum of theirs. */
  private DeviceBuffer gradientOf(int tensor) {
    List<DeviceBuffer> found = parts.getOrDefault(tensor, List.of());
    DeviceBuffer total = found.size() == 1 ? found.get(0) : activation(tensor);
    totals.put(tensor, total);
    if (found.size() > 1) {
      Op sum = factory.sum(found, total);
      closers.add(sum::close);
      sums.put(tensor, sum);
    }
    return total;
  }

  private static <T> Map<String, T> own(Node node, Map<String, T> all) {
    Map<String, T> own = new LinkedHashMap<>();
    for (ParameterSpec spec : node.parameters()) {
      if (all.containsKey(node.tensorName(spec))) {
        own.put(spec.name(), all.get(node.tensorName(spec)));
      }
    }
    return own;
  }

  /** Sets every tensor, in PyTorch's order. */
  OpHarness load(Map<String, double[]> tensors) {
    parameters.forEach(
        (name, buffer) -> layouts.get(name).write(DeviceFloats.floats(tensors.get(name)), buffer));
    return this;
  }

  /** Sets the run's step, which random masks depend on. */
  void setStep(long step) {
    Clocks.set(clock, step);
  }

  /**
   * The last layer's output [N, C, H, W].
   *
   * @param x held exactly by the backend's precision
   */
  double[] forward(double[] x) {
    perPass.forEach(DeviceFloats::spoil);
    feed.start(new ArraySamples(new byte[n * graph.input().elements()], new int[n]), new int[n], n);
    feed.next();
    stage.forward();
    backend.synchronize();
    write(x, graph.input(), values.get(Node.INPUT));
    groups.forEach(group -> group.op.forward());
    int output = graph.output().index();
    return read(values.get(output), graph.shapeOf(output));
  }

  private void write(double[] nchw, Shape sample, DeviceBuffer to) {
    DeviceFloats.write(factory.precision(), DeviceFloats.toDevice(nchw, sample), to);
  }

  private double[] read(DeviceBuffer from, Shape sample) {
    return DeviceFloats.fromDevice(DeviceFloats.read(factory.precision(), from), sample);
  }

  /** Gradients of sum(dy y), after a forward pass. */
  ReferenceNet.Gradients backward(double[] dy) {
    gradients.forEach(
        (name, buffer) -> {
          float[] nan = new float[specs.get(name).elements()];
          Arrays.fill(nan, Float.NaN);
          layouts.get(name).write(nan, buffer);
        });
    int output = graph.output().index();
    write(dy, graph.shapeOf(output), totals.get(output));
    for (int g = groups.size() - 1; g >= 0; g--) {
      sum(groups.get(g).output);
      groups.get(g).op.backward();
    }
    sum(Node.INPUT);
    Map<String, double[]> found = new LinkedHashMap<>();
    gradients.forEach((name, buffer) -> found.put(name, fetch(name, buffer)));
    return new ReferenceNet.Gradients(read(totals.get(Node.INPUT), graph.input()), found);
  }

  private void sum(int tensor) {
    if (sums.containsKey(tensor)) {
      sums.get(tensor).forward();
    }
  }

  /** A tensor's values in PyTorch's order. */
  double[] parameter(String name) {
    return fetch(name, parameters.get(name));
  }

  /** One step of an optimizer on each tensor alone. */
  void update(OptimizerSpec optimizer, long step) {
    setStep(step);
    DeviceBuffer schedule = allocate((step + 1) * 2 * Float.BYTES);
    float[] rates = new float[(int) (2 * step + 2)];
    for (int i = 0; i < rates.length; i += 2) {
      rates[i] = optimizer.lr().floatValue();
      rates[i + 1] = (float) optimizer.momentumLike();
    }
    DeviceFloats.write(rates, schedule);
    gradients.forEach(
        (name, gradient) -> {
          DeviceBuffer w = parameters.get(name);
          DeviceBuffer state = allocate(w.bytes() * optimizer.stateSlots());
          Op op =
              factory.update(
                  UpdateRule.of(optimizer), new UpdateBuffers(w, gradient, state, schedule, clock));
          closers.add(op::close);
          op.forward();
          backend.synchronize();
          setStep(step);
        });
  }

  /** Storage holds what writing the tensor anew gives, which starts from zeros. */
  void assertPaddingIsZero(String name) {
    for (DeviceBuffer buffer : List.of(parameters.get(name), gradients.get(name))) {
      DeviceBuffer anew = allocate(buffer.bytes());
      layouts.get(name).write(DeviceFloats.floats(fetch(name, buffer)), anew);
      assertThat(DeviceFloats.read(buffer))
          .as("storage of %s with its padding", name)
          .isEqualTo(DeviceFloats.read(anew));
    }
  }

  private double[] fetch(String name, DeviceBuffer buffer) {
    float[] values = new float[specs.get(name).elements()];
    layouts.get(name).read(buffer, values);
    return DeviceFloats.doubles(values);
  }

  /** How many ops compute the graph. */
  int ops() {
    return groups.size();
  }

  @Override
  public void close() {
    for (int i = closers.size() - 1; i >= 0; i--) {
      closers.get(i).run();
    }
  }
}
