package convtrain.plan;

import convtrain.backend.Backend;
import convtrain.backend.Binding;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.DeviceMemoryException;
import convtrain.backend.Op;
import convtrain.backend.OpFactory;
import convtrain.backend.Owned;
import convtrain.graph.EmaSpec;
import convtrain.graph.ModelGraph;
import convtrain.graph.Node;
import convtrain.graph.ParameterSpec;
import convtrain.plan.ArenaPlanner.Storage;
import convtrain.plan.Plan.Phase;
import convtrain.plan.Plan.Step;
import convtrain.plan.Work.Kind;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Turns a graph into a {@link Plan}: joins layers that the backend fuses, makes the ops, lets
 * {@link Placement} find a place in one arena for each tensor, and binds the ops to their places.
 */
public final class PlanCompiler {
  private final Backend backend;
  private final ModelGraph graph;
  private final RunState state;
  private final PlanOptions options;
  private final int result;
  private final OpFactory factory;
  private final Owned owned = new Owned();
  private final List<Group> groups = new ArrayList<>();
  private final boolean[] needsGradient;
  private Placement placement;
  private DeviceBuffer arena;

  private PlanCompiler(Backend backend, ModelGraph graph, RunState state, PlanOptions options) {
    this.backend = backend;
    this.graph = graph;
    this.state = state;
    this.options = options;
    this.result = graph.lossInput(options.loss());
    this.factory = backend.ops(options.batchSize(), options.training());
    this.needsGradient = new boolean[graph.nodes().size()];
    for (Node node : graph.nodes()) {
      needsGradient[node.index()] =
          options.training()
              && (node.parameters().stream().anyMatch(ParameterSpec::trainable)
                  || node.inputs().stream().anyMatch(this::needsGradient));
    }
  }

  /** Makes a plan; on failure everything made so far is released. */
  public static Plan compile(
      Backend backend, ModelGraph graph, RunState state, PlanOptions options) {
    PlanCompiler compiler = new PlanCompiler(backend, graph, state, options);
    try {
      compiler.place();
      return compiler.allocateAndBind();
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, compiler.owned);
      throw e;
    }
  }

  private void place() {
    makeGroups();
    placement = new Placement(graph, result, groups, options, factory);
  }

  private Plan allocateAndBind() {
    try {
      arena = owned.add(backend.allocate(placement.arenaBytes()));
    } catch (DeviceMemoryException e) {
      throw tooLarge(e);
    }
    return assemble();
  }

  /** What stands behind the tensor that the loss works on is left out: a final softmax. */
  private void makeGroups() {
    Map<Integer, Integer> uses = new HashMap<>();
    List<Node> nodes = graph.nodes().subList(0, result + 1);
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
      throw cannotMake(head, e);
    }
    owned.add(op);
    groups.add(
        new Group(
            groups.size(), head, List.copyOf(fused), output, needed, needsGradient(output), op));
  }

  /** Whether anything trained stands at or before a tensor's layer. */
  private boolean needsGradient(int tensor) {
    return tensor != Node.INPUT && needsGradient[tensor];
  }

  private Plan assemble() {
    DeviceBuffer scratch = at(placement.scratch());
    groups.forEach(group -> bind(group, scratch));
    List<Step> steps = new ArrayList<>();
    DeviceBuffer labels = at(placement.labels());
    DeviceBuffer targets = addBatch(steps, labels);
    for (Group group : groups) {
      steps.add(new Step(group.label(), Phase.FORWARD, group.op(), false, group.work()));
    }
    DeviceBuffer z = tensor(placement.value(result), result);
    Storage dz = placement.gradient(result);
    add(
        steps,
        options.loss().type(),
        Phase.LOSS,
        Work.of(Kind.LOSS, graph.shapeOf(result), graph.shapeOf(result)),
        factory.loss(
            options.loss(),
            graph.shapeOf(result).channels(),
            z,
            labels,
            targets,
            dz == null ? null : tensor(dz, result),
            state.metricsBuffer(),
            state.clock()));
    if (options.training()) {
      addBackward(steps);
      addUpdate(steps);
    }
    return new Plan(backend, steps, owned, arena, z, factory.precision(), options.batchSize());
  }

  /** Adds what makes the batch ready; gives its targets, or null where the labels are these. */
  private DeviceBuffer addBatch(List<Step> steps, DeviceBuffer labels) {
    DeviceBuffer x = tensor(placement.value(Node.INPUT), Node.INPUT);
    DeviceBuffer staged = options.mixes() ? tensor(placement.staged(), Node.INPUT) : x;
    Op stage =
        factory.stage(
            options.feed(), options.normalization(), options.augmentation(), staged, labels);
    add(steps, "batch", Phase.STAGE, Work.of(Kind.STAGE, graph.input(), graph.input()), stage);
    if (!options.mixes()) {
      return null;
    }
    Storage place = placement.targets();
    DeviceBuffer targets = arena.slice(place.offset(), placement.targetBytes());
    OpFactory.RandomState random = new OpFactory.RandomState(options.seed(), state.clock());
    int classes = graph.shapeOf(result).elements();
    Op mix = factory.mix(options.mix(), graph.input(), classes, random, staged, labels, x, targets);
    add(steps, "mixing", Phase.STAGE, Work.of(Kind.MIX, graph.input(), graph.input()), mix);
    return targets;
  }

  private void addUpdate(List<Step> steps) {
    DeviceBuffer clock = state.clock();
    DeviceBuffer gradients = state.gradients();
    if (state.update().accumulates()) {
      Op sum = factory.accumulate(gradients, state.gradientSum(), clock);
      Work work = Work.ofParameters(Kind.ACCUMULATE);
      add(steps, "gradient sum over batches", Phase.ACCUMULATE, work, sum);
      gradients = state.gradientSum();
    }
    Op update =
        factory.update(
            state.updateRule(),
            state.trained(),
            gradients,
            state.optimizerState(),
            state.schedule(),
            clock);
    add(steps, "update", Phase.UPDATE, Work.ofParameters(Kind.UPDATE), update);
    EmaSpec ema = state.update().ema();
    if (ema != null) {
      Op average = factory.average(ema, state.parameters(), state.averages(), clock);
      add(steps, "moving average", Phase.UPDATE, Work.ofParameters(Kind.AVERAGE), average);
    }
  }

  private void addBackward(List<Step> steps) {
    for (int g = groups.size() - 1; g >= 0; g--) {
      Group group = groups.get(g);
      if (!group.needsGradient()) {
        continue;
      }
      int y = group.output();
      if (placement.needsSum(y)) {
        List<DeviceBuffer> parts = placement.parts(y).stream().map(p -> tensor(p, y)).toList();
        Op sum = factory.sum(parts, tensor(placement.gradient(y), y));
        Work work = Work.sum(parts.size(), graph.shapeOf(y));
        add(steps, "gradient sum of " + group.label(), Phase.BACKWARD, work, sum);
      }
      steps.add(new Step(group.label(), Phase.BACKWARD, group.op(), true, group.work()));
    }
  }

  private void add(List<Step> steps, String label, Phase phase, Work work, Op op) {
    owned.add(op);
    steps.add(new Step(label, phase, op, false, work));
  }

  private void bind(Group group, DeviceBuffer scratch) {
    Node head = group.head();
    List<DeviceBuffer> x = new ArrayList<>();
    List<DeviceBuffer> dx = new ArrayList<>();
    for (int i = 0; i < head.inputs().size(); i++) {
      int input = head.inputs().get(i);
      x.add(tensor(placement.value(input), input));
      Storage place = placement.inputGradient(group, i);
      dx.add(place == null ? null : tensor(place, input));
    }
    int y = group.output();
    Storage saved = placement.saved(group);
    Binding binding =
        new Binding(
            x,
            tensor(placement.value(y), y),
            dx,
            group.needsGradient() ? tensor(placement.gradient(y), y) : null,
            options.training() ? state.parametersOf(head) : state.scoredOf(head),
            options.training() ? state.gradientsOf(head) : Map.of(),
            saved == null ? null : at(saved),
            scratch);
    try {
      group.op().bind(binding);
    } catch (RuntimeException e) {
      throw cannotMake(head, e);
    }
  }

  /** Says what the plan needs, where most of it goes, and which batch size would fit. */
  private PlanException tooLarge(DeviceMemoryException e) {
    List<Group> largest = new ArrayList<>(groups);
    largest.sort(Comparator.comparingLong((Group group) -> placement.bytesOf(group)).reversed());
    StringBuilder layers = new StringBuilder();
    for (Group group : largest.subList(0, Math.min(3, largest.size()))) {
      layers.append(layers.isEmpty() ? "" : ", ");
      layers.append(group.label()).append(' ').append(mebibytes(placement.bytesOf(group)));
    }
    return new PlanException(
        "%s batch size %d needs %s for activations and workspaces, %s are free on %s; most goes to: %s; %s"
            .formatted(
                options.training() ? "training at" : "scoring at",
                options.batchSize(),
                mebibytes(placement.arenaBytes()),
                mebibytes(e.freeBytes()),
                backend.name(),
                layers,
                whatFits(e.freeBytes())),
        e);
  }

  private String whatFits(long bytes) {
    int fits = options.training() ? batchSizeWithin(bytes) : 0;
    if (fits > 0) {
      return "train.batch_size=" + fits + " would fit";
    }
    return (options.training() ? "no batch size fits: " : "")
        + "use a smaller model or free memory on the device";
  }

  /** The largest half, quarter, ... of the batch size whose arena fits; 0 if none does. */
  private int batchSizeWithin(long bytes) {
    for (int n = options.batchSize() / 2; n > 0; n /= 2) {
      PlanCompiler trial = new PlanCompiler(backend, graph, state, options.withBatchSize(n));
      try {
        trial.place();
        if (trial.placement.arenaBytes() <= bytes) {
          return n;
        }
      } finally {
        trial.owned.close();
      }
    }
    return 0;
  }

  private static String mebibytes(long bytes) {
    return String.format(Locale.ROOT, "%,.1f MiB", bytes / (double) (1 << 20));
  }

  private PlanException cannotMake(Node head, RuntimeException e) {
    return new PlanException(
        "%s with input %s and batch size %d cannot be made on %s: %s"
            .formatted(
                head.label(), head.in(), options.batchSize(), backend.name(), e.getMessage()),
        e);
  }

  private DeviceBuffer at(Storage storage) {
    return arena.slice(storage.offset(), storage.bytes());
  }

  /** A tensor's storage without what rounds it up. */
  private DeviceBuffer tensor(Storage storage, int tensor) {
    return arena.slice(storage.offset(), placement.bytesOf(tensor));
  }
}
