package convtrain.plan;

import convtrain.backend.Backend;
import convtrain.backend.Binding;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.Op;
import convtrain.backend.OpFactory;
import convtrain.backend.OpFactory.HostBatch;
import convtrain.backend.OpFactory.Normalization;
import convtrain.graph.ModelGraph;
import convtrain.graph.Node;
import convtrain.graph.OptimizerSpec;
import convtrain.graph.Shape;
import convtrain.plan.ArenaPlanner.Storage;
import convtrain.plan.Plan.Phase;
import convtrain.plan.Plan.Step;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Turns a graph into a {@link Plan}: joins layers that the backend fuses, makes the ops, finds how
 * long each tensor lives, places all of them in one arena, and binds the ops to their places.
 *
 * <p>A tensor lives from the op that writes it to the last that reads it; backward passes read only
 * what they say they read, so activations that nobody needs again share memory. Where an op may
 * work in place and nobody else needs its input, output and input are one storage. A tensor read by
 * several layers gets one gradient from each and an entry that sums them.
 */
public final class PlanCompiler {
  static final String GRADIENT_SUM = "gradient sum";

  /**
   * What a plan is made for.
   *
   * @param batchSize samples per step
   * @param optimizer the update formula of a training plan; null makes an evaluation plan
   * @param normalization bytes to input
   * @param host where batches are handed over
   * @param seed the run's seed, for dropout
   */
  public record Options(
      int batchSize,
      OptimizerSpec optimizer,
      Normalization normalization,
      HostBatch host,
      long seed) {
    boolean training() {
      return optimizer != null;
    }
  }

  /**
   * A layer with those fused into it.
   *
   * @param position in the order of the forward pass
   * @param output the tensor it writes: index of its last node
   */
  private record Group(int position, Node head, List<Node> fused, int output, Op op) {}

  private final Backend backend;
  private final ModelGraph graph;
  private final RunState state;
  private final Options options;
  private final OpFactory factory;
  private final List<Op> ops = new ArrayList<>();
  private final List<Group> groups = new ArrayList<>();
  private final Map<Integer, List<Group>> readers = new HashMap<>();
  private final Map<Integer, Group> writers = new HashMap<>();
  private final ArenaPlanner planner = new ArenaPlanner();
  private final Map<Integer, Storage> values = new HashMap<>();
  private final Map<Integer, Storage> gradients = new HashMap<>();
  private final Map<Group, List<Storage>> inputGradients = new HashMap<>();
  private final Map<Group, Storage> saved = new HashMap<>();

  private PlanCompiler(Backend backend, ModelGraph graph, RunState state, Options options) {
    this.backend = backend;
    this.graph = graph;
    this.state = state;
    this.options = options;
    this.factory = backend.ops(options.batchSize(), options.training());
  }

  /** Makes a plan; on failure everything made so far is released. */
  public static Plan compile(Backend backend, ModelGraph graph, RunState state, Options options) {
    PlanCompiler compiler = new PlanCompiler(backend, graph, state, options);
    try {
      return compiler.compile();
    } catch (RuntimeException | Error e) {
      for (int i = compiler.ops.size() - 1; i >= 0; i--) {
        compiler.ops.get(i).close();
      }
      throw e;
    }
  }

  private Plan compile() {
    makeGroups();
    placeValues();
    if (options.training()) {
      placeGradients();
    }
    long scratchBytes = 1;
    for (Group group : groups) {
      scratchBytes = Math.max(scratchBytes, group.op.needs().scratchBytes());
      if (group.op.needs().savedBytes() > 0) {
        int last = options.training() ? backwardAt(group) : forwardAt(group);
        saved.put(group, planner.add(group.op.needs().savedBytes(), forwardAt(group), last));
      }
    }
    Storage scratch = planner.add(scratchBytes, 0, end());
    Storage labels = planner.add((long) options.batchSize() * Integer.BYTES, 0, lossAt());
    DeviceBuffer arena = backend.allocate(planner.place());
    try {
      return assemble(arena, at(arena, scratch), at(arena, labels));
    } catch (RuntimeException | Error e) {
      arena.close();
      throw e;
    }
  }

  // Positions of the step: staging 0, forward 1..G, loss G + 1, backward of group g at 2 G + 1 - g.

  private int forwardAt(Group group) {
    return 1 + group.position;
  }

  private int lossAt() {
    return groups.size() + 1;
  }

  private int backwardAt(Group group) {
    return 2 * groups.size() + 1 - group.position;
  }

  private int end() {
    return 2 * groups.size() + 2;
  }

  /** A final softmax is left out: the loss, and predictions on the host, work on the logits. */
  private void makeGroups() {
    Map<Integer, Integer> uses = new HashMap<>();
    int count =
        graph.logits() == graph.output().index() ? graph.nodes().size() : graph.logits() + 1;
    List<Node> nodes = graph.nodes().subList(0, count);
    nodes.forEach(node -> node.inputs().forEach(input -> uses.merge(input, 1, Integer::sum)));
    int next = 0;
    while (next < nodes.size()) {
      Node head = nodes.get(next++);
      List<Node> fused = new ArrayList<>();
      Node last = head;
      while (next < nodes.size()
          && uses.getOrDefault(last.index(), 0) == 1
          && nodes.get(next).inputs().equals(List.of(last.index()))
          && factory.fuses(head, fused, nodes.get(next))) {
        last = nodes.get(next++);
        fused.add(last);
      }
      addGroup(head, fused, last.index());
    }
  }

  private void addGroup(Node head, List<Node> fused, int output) {
    List<Boolean> needed = head.inputs().stream().map(this::needsGradient).toList();
    OpFactory.RandomState random = new OpFactory.RandomState(options.seed(), state.clock());
    OpFactory.Context context =
        new OpFactory.Context(head, List.copyOf(fused), needed, state.layoutsOf(head), random);
    Op op;
    try {
      op = head.spec().accept(factory, context);
    } catch (RuntimeException e) {
      throw new PlanException(
          "%s with input %s and batch size %d cannot be made on %s: %s"
              .formatted(
                  head.label(), head.in(), options.batchSize(), backend.name(), e.getMessage()),
          e);
    }
    ops.add(op);
    Group group = new Group(groups.size(), head, List.copyOf(fused), output, op);
    groups.add(group);
    writers.put(output, group);
    head.inputs().forEach(i -> readers.computeIfAbsent(i, key -> new ArrayList<>()).add(group));
  }

  /** Whether anything trained stands before or at a tensor's layer. */
  private boolean needsGradient(int tensor) {
    if (!options.training() || tensor == Node.INPUT) {
      return false;
    }
    Node node = graph.nodes().get(tensor);
    return node.parameters().stream().anyMatch(p -> p.trainable())
        || node.inputs().stream().anyMatch(this::needsGradient);
  }

  private void placeValues() {
    values.put(Node.INPUT, planner.add(bytesOf(Node.INPUT), 0, 0));
    for (Group group : groups) {
      int x = group.head.inputs().get(0);
      int now = forwardAt(group);
      if (mayOverwrite(group, x)) {
        values.put(group.output, values.get(x));
        values.get(x).liveAt(now);
      } else {
        values.put(group.output, planner.add(bytesOf(group.output), now, now));
      }
    }
    for (Group group : groups) {
      group.head.inputs().forEach(x -> values.get(x).liveAt(forwardAt(group)));
      if (options.training()) {
        keepForBackward(group);
      }
    }
    values.get(graph.logits()).liveAt(end());
  }

  private void keepForBackward(Group group) {
    if (group.op.backwardReads().input()) {
      group.head.inputs().forEach(x -> values.get(x).liveAt(backwardAt(group)));
    }
    if (group.op.backwardReads().output()) {
      values.get(group.output).liveAt(backwardAt(group));
    }
  }

  private boolean mayOverwrite(Group group, int x) {
    Group writer = writers.get(x);
    return group.op.forwardInPlace()
        && writer != null
        && readers.get(x).size() == 1
        && !(options.training()
            && (writer.op.backwardReads().output() || group.op.backwardReads().input()));
  }

  /** From the loss back to the first layer that needs a gradient. */
  private void placeGradients() {
    int logits = graph.logits();
    if (needsGradient(logits)) {
      Group last = writers.get(logits);
      gradients.put(logits, planner.add(bytesOf(logits), lossAt(), backwardAt(last)));
    }
    for (int g = groups.size() - 1; g >= 0; g--) {
      Group group = groups.get(g);
      if (needsGradient(group.output)) {
        sumGradient(group);
        placeInputGradients(group);
      }
    }
  }

  /** The gradient of a tensor that several layers read, as the sum of theirs. */
  private void sumGradient(Group group) {
    if (readers.getOrDefault(group.output, List.of()).size() > 1) {
      int now = backwardAt(group);
      partsOf(group.output).forEach(part -> part.liveAt(now));
      gradients.put(group.output, planner.add(bytesOf(group.output), now, now));
    }
  }

  private void placeInputGradients(Group group) {
    int now = backwardAt(group);
    List<Storage> places = new ArrayList<>();
    for (int x : group.head.inputs()) {
      if (!needsGradient(x)) {
        places.add(null);
        continue;
      }
      Storage dy = gradients.get(group.output);
      boolean single = group.head.inputs().size() == 1;
      Storage dx = single && group.op.backwardInPlace() ? dy : planner.add(bytesOf(x), now, now);
      if (readers.get(x).size() == 1) {
        dx.liveAt(backwardAt(writers.get(x)));
        gradients.put(x, dx);
      }
      places.add(dx);
    }
    inputGradients.put(group, places);
  }

  /**
   * The gradients that a tensor's readers have written, each reader and each of its inputs once.
   */
  private List<Storage> partsOf(int tensor) {
    List<Storage> parts = new ArrayList<>();
    for (Group reader : readers.get(tensor).stream().distinct().toList()) {
      for (int i = 0; i < reader.head.inputs().size(); i++) {
        if (reader.head.inputs().get(i) == tensor) {
          parts.add(inputGradients.get(reader).get(i));
        }
      }
    }
    return parts;
  }

  private Plan assemble(DeviceBuffer arena, DeviceBuffer scratch, DeviceBuffer labels) {
    groups.forEach(group -> bind(group, arena, scratch));
    List<Step> steps = new ArrayList<>();
    DeviceBuffer x = at(arena, values.get(Node.INPUT));
    add(
        steps,
        "batch",
        Phase.STAGE,
        factory.stage(options.host(), options.normalization(), x, labels));
    groups.forEach(group -> steps.add(new Step(label(group), Phase.FORWARD, group.op)));
    int logits = graph.logits();
    DeviceBuffer z = exactly(arena, values.get(logits), logits);
    DeviceBuffer dz =
        gradients.get(logits) == null ? null : exactly(arena, gradients.get(logits), logits);
    add(
        steps,
        "cross_entropy",
        Phase.LOSS,
        factory.crossEntropy(
            graph.shapeOf(logits).channels(), z, labels, dz, state.metricsBuffer(), state.clock()));
    if (options.training()) {
      addBackward(steps, arena);
      add(
          steps,
          "update",
          Phase.UPDATE,
          factory.update(
              options.optimizer(),
              state.trained(),
              state.gradients(),
              state.optimizerState(),
              state.schedule(),
              state.clock()));
    }
    return new Plan(backend, steps, ops, arena, z, options.batchSize());
  }

  private void addBackward(List<Step> steps, DeviceBuffer arena) {
    for (int g = groups.size() - 1; g >= 0; g--) {
      Group group = groups.get(g);
      if (!needsGradient(group.output)) {
        continue;
      }
      if (readers.getOrDefault(group.output, List.of()).size() > 1) {
        List<DeviceBuffer> parts =
            partsOf(group.output).stream().map(p -> exactly(arena, p, group.output)).toList();
        DeviceBuffer total = exactly(arena, gradients.get(group.output), group.output);
        add(steps, GRADIENT_SUM + " of " + label(group), Phase.BACKWARD, factory.sum(parts, total));
      }
      steps.add(new Step(label(group), Phase.BACKWARD, group.op));
    }
  }

  private void add(List<Step> steps, String label, Phase phase, Op op) {
    ops.add(op);
    steps.add(new Step(label, phase, op));
  }

  private void bind(Group group, DeviceBuffer arena, DeviceBuffer scratch) {
    Node head = group.head;
    List<DeviceBuffer> x = new ArrayList<>();
    List<DeviceBuffer> dx = new ArrayList<>();
    List<Storage> places = inputGradients.get(group);
    for (int i = 0; i < head.inputs().size(); i++) {
      int input = head.inputs().get(i);
      x.add(exactly(arena, values.get(input), input));
      Storage place = places == null ? null : places.get(i);
      dx.add(place == null ? null : exactly(arena, place, input));
    }
    boolean backward = options.training() && needsGradient(group.output);
    group.op.bind(
        new Binding(
            x,
            exactly(arena, values.get(group.output), group.output),
            dx,
            backward ? exactly(arena, gradients.get(group.output), group.output) : null,
            state.parametersOf(head),
            options.training() ? state.gradientsOf(head) : Map.of(),
            saved.get(group) == null ? null : at(arena, saved.get(group)),
            scratch));
  }

  private static String label(Group group) {
    StringBuilder label = new StringBuilder(group.head.label());
    group.fused.forEach(node -> label.append(" + ").append(node.label()));
    return label.toString();
  }

  private long bytesOf(int tensor) {
    Shape shape = graph.shapeOf(tensor);
    return Math.multiplyExact((long) options.batchSize() * Float.BYTES, (long) shape.elements());
  }

  private static DeviceBuffer at(DeviceBuffer arena, Storage storage) {
    return arena.slice(storage.offset(), storage.bytes());
  }

  /** The storage without what rounds it up. */
  private DeviceBuffer exactly(DeviceBuffer arena, Storage storage, int tensor) {
    return arena.slice(storage.offset(), bytesOf(tensor));
  }
}
