package convtrain.plan;

import convtrain.backend.Backend;
import convtrain.backend.Binding;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.DeviceMemoryException;
import convtrain.backend.Owned;
import convtrain.graph.ModelGraph;
import convtrain.graph.Node;
import convtrain.plan.ArenaPlanner.Storage;
import convtrain.plan.Plan.Step;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Turns a graph into a {@link Plan}: joins layers that the backend fuses and makes their ops
 * ({@link Grouping}), finds a place in one arena for each tensor ({@link Placement}), allocates the
 * arena, binds the ops to their places, and lists what a step does ({@link StepList}).
 */
public final class PlanCompiler {
  private final Compilation plan;
  private final List<Group> groups;
  private final Placement placement;

  private PlanCompiler(Compilation plan) {
    this.plan = plan;
    groups = Grouping.of(plan);
    placement = new Placement(plan.graph(), plan.result(), groups, plan.options(), plan.factory());
  }

  /**
   * Makes a plan; on failure everything made so far is released.
   *
   * @throws PlanException if an op cannot be made; if memory lacks, with advice
   */
  public static Plan compile(
      Backend backend, ModelGraph graph, RunState state, PlanOptions options) {
    try {
      return make(backend, graph, state, options);
    } catch (DeviceMemoryException e) {
      throw MemoryAdvice.added(e, backend, graph, state, options);
    } catch (PlanException e) {
      throw e.getCause() instanceof DeviceMemoryException
          ? MemoryAdvice.added(e, backend, graph, state, options)
          : e;
    }
  }

  private static Plan make(Backend backend, ModelGraph graph, RunState state, PlanOptions options) {
    Owned owned = new Owned();
    try {
      PlanCompiler compiler =
          new PlanCompiler(Compilation.of(backend, graph, state, options, owned));
      Arena arena = compiler.allocate();
      compiler.bind(arena);
      return compiler.list(arena);
    } catch (RuntimeException | Error e) {
      Owned.closeAfter(e, owned);
      throw e;
    }
  }

  /** Whether a plan can be made now. A device that is full fails in many ways. */
  static boolean fits(Backend backend, ModelGraph graph, RunState state, PlanOptions options) {
    try (Plan trial = make(backend, graph, state, options)) {
      return trial.batchSize() == options.batchSize();
    } catch (RuntimeException e) {
      return false;
    }
  }

  private Arena allocate() {
    try {
      DeviceBuffer buffer = plan.backend().allocate(placement.arenaBytes());
      return new Arena(plan.owned().add(buffer), placement);
    } catch (DeviceMemoryException e) {
      throw MemoryAdvice.noArena(plan, groups, placement, e);
    }
  }

  private void bind(Arena arena) {
    for (Group group : groups) {
      Binding binding = binding(group, arena);
      try {
        group.op().bind(binding);
      } catch (RuntimeException e) {
        throw plan.cannotMake(group.head(), e);
      }
    }
  }

  private Binding binding(Group group, Arena arena) {
    Node head = group.head();
    List<DeviceBuffer> x = new ArrayList<>();
    List<DeviceBuffer> dx = new ArrayList<>();
    for (int i = 0; i < head.inputs().size(); i++) {
      int input = head.inputs().get(i);
      x.add(arena.value(input));
      dx.add(arena.tensorOrNull(placement.inputGradient(group, i), input));
    }
    boolean training = plan.options().training();
    Storage saved = placement.saved(group);
    return new Binding(
        x,
        arena.value(group.output()),
        dx,
        group.needsGradient() ? arena.gradient(group.output()) : null,
        training ? plan.state().parametersOf(head) : plan.state().scoredOf(head),
        training ? plan.state().gradientsOf(head) : Map.of(),
        saved == null ? null : arena.at(saved),
        arena.at(placement.scratch()));
  }

  private Plan list(Arena arena) {
    List<Step> steps = StepList.of(plan, groups, arena);
    return new Plan(
        plan.backend(),
        steps,
        plan.owned(),
        arena.buffer(),
        arena.value(plan.result()),
        plan.factory().precision(),
        plan.options().batchSize());
  }
}
