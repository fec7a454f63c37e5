package convtrain.plan;

import convtrain.backend.DeviceBuffer;
import convtrain.backend.LossBuffers;
import convtrain.backend.MixBuffers;
import convtrain.backend.Op;
import convtrain.backend.OpFactory;
import convtrain.backend.UpdateBuffers;
import convtrain.graph.EmaSpec;
import convtrain.graph.ModelGraph;
import convtrain.graph.Node;
import convtrain.plan.Plan.Phase;
import convtrain.plan.Plan.Step;
import convtrain.plan.Work.Kind;
import java.util.ArrayList;
import java.util.List;

/**
 * Lists what a step does: the layers' passes, and around them staging, loss and update, whose ops
 * it makes.
 */
final class StepList {
  private final Compilation plan;
  private final OpFactory factory;
  private final ModelGraph graph;
  private final RunState state;
  private final List<Group> groups;
  private final Placement placement;
  private final Arena arena;
  private final List<Step> steps = new ArrayList<>();

  private StepList(Compilation plan, List<Group> groups, Arena arena) {
    this.plan = plan;
    this.groups = groups;
    this.arena = arena;
    factory = plan.factory();
    graph = plan.graph();
    state = plan.state();
    placement = arena.placement();
  }

  /** The entries of the step in their order. */
  static List<Step> of(Compilation plan, List<Group> groups, Arena arena) {
    StepList list = new StepList(plan, groups, arena);
    DeviceBuffer labels = arena.at(arena.placement().labels());
    DeviceBuffer targets = list.addBatch(labels);
    list.addForward();
    list.addLoss(labels, targets);
    if (plan.options().training()) {
      list.addBackward();
      list.addUpdate();
    }
    return list.steps;
  }

  /** Adds what makes the batch ready; gives its targets, or null where the labels are these. */
  private DeviceBuffer addBatch(DeviceBuffer labels) {
    PlanOptions options = plan.options();
    DeviceBuffer x = arena.value(Node.INPUT);
    DeviceBuffer staged = options.mixes() ? arena.tensor(placement.staged(), Node.INPUT) : x;
    Op stage =
        factory.stage(
            options.feed(), options.normalization(), options.augmentation(), staged, labels);
    add("batch", Phase.STAGE, Work.of(Kind.STAGE, graph.input(), graph.input()), stage);
    if (!options.mixes()) {
      return null;
    }
    DeviceBuffer targets = arena.targets();
    int classes = graph.shapeOf(plan.result()).elements();
    Op mix =
        factory.mix(
            options.mix(),
            graph.input(),
            classes,
            plan.random(),
            new MixBuffers(staged, labels, x, targets));
    add("mixing", Phase.STAGE, Work.of(Kind.MIX, graph.input(), graph.input()), mix);
    return targets;
  }

  private void addForward() {
    for (Group group : groups) {
      steps.add(Step.forward(group.label(), Phase.FORWARD, group.op(), group.work()));
    }
  }

  private void addLoss(DeviceBuffer labels, DeviceBuffer targets) {
    int z = plan.result();
    Op loss =
        factory.loss(
            plan.options().loss(),
            graph.shapeOf(z).channels(),
            new LossBuffers(
                arena.value(z),
                labels,
                targets,
                arena.gradient(z),
                state.metricsBuffer(),
                state.clock()));
    Work work = Work.of(Kind.LOSS, graph.shapeOf(z), graph.shapeOf(z));
    add(plan.options().loss().type(), Phase.LOSS, work, loss);
  }

  private void addBackward() {
    for (int g = groups.size() - 1; g >= 0; g--) {
      Group group = groups.get(g);
      if (!group.needsGradient()) {
        continue;
      }
      int y = group.output();
      if (placement.needsSum(y)) {
        List<DeviceBuffer> parts =
            placement.parts(y).stream().map(part -> arena.tensor(part, y)).toList();
        Op sum = factory.sum(parts, arena.gradient(y));
        Work work = Work.sum(parts.size(), graph.shapeOf(y));
        add("gradient sum of " + group.label(), Phase.BACKWARD, work, sum);
      }
      steps.add(Step.backward(group.label(), group.op(), group.work()));
    }
  }

  private void addUpdate() {
    DeviceBuffer clock = state.clock();
    DeviceBuffer gradients = state.gradients();
    if (state.update().accumulates()) {
      Op sum = factory.accumulate(gradients, state.gradientSum(), clock);
      Work work = Work.ofParameters(Kind.ACCUMULATE);
      add("gradient sum over batches", Phase.ACCUMULATE, work, sum);
      gradients = state.gradientSum();
    }
    Op update =
        factory.update(
            state.updateRule(),
            new UpdateBuffers(
                state.trained(), gradients, state.optimizerState(), state.schedule(), clock));
    add("update", Phase.UPDATE, Work.ofParameters(Kind.UPDATE), update);
    EmaSpec ema = state.update().ema();
    if (ema != null) {
      Op average = factory.average(ema, state.parameters(), state.averages(), clock);
      add("moving average", Phase.UPDATE, Work.ofParameters(Kind.AVERAGE), average);
    }
  }

  private void add(String label, Phase phase, Work work, Op op) {
    plan.owned().add(op);
    steps.add(Step.forward(label, phase, op, work));
  }
}
