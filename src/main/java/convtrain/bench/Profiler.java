package convtrain.bench;

import convtrain.backend.Backend;
import convtrain.backend.Timer;
import convtrain.bench.ProfileTimeline.Span;
import convtrain.config.RunConfig;
import convtrain.graph.ModelGraph;
import convtrain.graph.Node;
import convtrain.plan.Plan;
import convtrain.plan.Plan.Phase;
import convtrain.train.Rehearsal;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.function.BooleanSupplier;
import java.util.function.ToLongFunction;
import java.util.stream.Collectors;

/**
 * Measures each entry of a plan's step on the device's clock. A step replayed as training replays
 * it and one with a moment marked between the entries take turns, each waited for, so that what the
 * marks cost is known from the same minutes. On a GPU both are captured graphs, the marks events in
 * theirs: between the ops stand no launches from the host.
 */
public final class Profiler {
  private final Backend backend;
  private final RunConfig run;
  private final Rehearsal rehearsal;
  private final Plan plan;
  private long began;
  private final List<ProfileTimeline.Step> steps = new ArrayList<>();
  private int warmup;

  /**
   * @param rehearsal of this backend and run
   */
  public Profiler(Backend backend, RunConfig run, Rehearsal rehearsal) {
    this.backend = backend;
    this.run = run;
    this.rehearsal = rehearsal;
    plan = rehearsal.plan();
  }

  /**
   * Runs steps, {@code 2 (warmup + count)} at most.
   *
   * @param warmupSteps of either kind before the first that counts; the first two of a kind also
   *     make what replays it
   * @param count of either kind that are measured
   * @param stop ends it early, asked before each
   */
  public void measure(int warmupSteps, int count, BooleanSupplier stop) {
    warmup = warmupSteps;
    steps.clear();
    began = System.nanoTime();
    try (Timer timer = backend.timer(plan.steps().size() + 1);
        Backend.Replay timed = plan.marked(timer)) {
      for (int i = 0; i < warmupSteps && !stop.getAsBoolean(); i++) {
        pair(timed, timer);
      }
      began = System.nanoTime();
      for (int i = 0; i < count && !stop.getAsBoolean(); i++) {
        steps.add(pair(timed, timer));
      }
    }
  }

  private ProfileTimeline.Step pair(Backend.Replay timed, Timer timer) {
    long[] plain = step(plan::step);
    long[] marked = step(timed::run);
    long[] marks = new long[plan.steps().size() + 1];
    for (int i = 1; i < marks.length; i++) {
      marks[i] = timer.nanosBetween(0, i);
    }
    return new ProfileTimeline.Step(
        Span.between(plain[0], plain[1]),
        Span.between(plain[1], plain[2]),
        Span.between(marked[0], marked[1]),
        Span.between(marked[1], marked[2]),
        marks);
  }

  /** When it began to bring the batch, when the step started, and when it was done. */
  private long[] step(Runnable replay) {
    long[] times = new long[3];
    times[0] = System.nanoTime() - began;
    rehearsal.nextBatch();
    times[1] = System.nanoTime() - began;
    replay.run();
    backend.synchronize();
    times[2] = System.nanoTime() - began;
    return times;
  }

  /** Steps measured so far, of either kind. */
  public int measured() {
    return steps.size();
  }

  /** What the measured steps took; at least one. */
  public Profile profile() {
    List<ProfileOp> ops = ops();
    return new Profile(
        run.name(),
        backend.description(),
        plan.steps().stream().noneMatch(step -> step.phase() == Phase.BACKWARD),
        plan.batchSize(),
        plan.precision().word(),
        steps.size(),
        warmup,
        times(step -> step.plain().nanos()),
        times(step -> step.timed().nanos()),
        times(step -> step.plainFeed().nanos()),
        ops,
        Profile.phasesOf(ops),
        null);
  }

  private ProfileTimes times(ToLongFunction<ProfileTimeline.Step> nanos) {
    return ProfileTimes.of(steps.stream().mapToLong(nanos).toArray());
  }

  private List<ProfileOp> ops() {
    OpCosts costs = new OpCosts(plan, ModelGraph.of(run.model()), run.train().update());
    List<ProfileTimes> times = new ArrayList<>();
    for (int i = 0; i < plan.steps().size(); i++) {
      int op = i;
      times.add(times(step -> step.marks()[op + 1] - step.marks()[op]));
    }
    double sum = times.stream().mapToDouble(ProfileTimes::median).sum();
    List<ProfileOp> ops = new ArrayList<>();
    for (int i = 0; i < times.size(); i++) {
      ops.add(op(plan.steps().get(i), times.get(i), sum, costs));
    }
    return ops;
  }

  private static ProfileOp op(Plan.Step step, ProfileTimes ms, double sum, OpCosts costs) {
    OpCost cost = costs.of(step);
    return new ProfileOp(
        name(step),
        step.work().kindInWords(),
        phase(step),
        step.work().in(),
        step.work().out(),
        ms.median(),
        ms,
        ms.median() / sum,
        cost.flops(),
        cost.bytes(),
        Profile.perSecond(cost.flops(), ms.median()),
        Profile.perSecond(cost.bytes(), ms.median()),
        step.op().implementation());
  }

  private static String name(Plan.Step step) {
    return step.work().layers().isEmpty()
        ? step.label()
        : step.work().layers().stream().map(Node::name).collect(Collectors.joining(" + "));
  }

  private static String phase(Plan.Step step) {
    return step.phase().name().toLowerCase(Locale.ROOT);
  }

  /** The measured steps on a time axis, for {@code ui.perfetto.dev}. */
  public ProfileTrace trace() {
    List<ProfileTimeline.Op> ops =
        plan.steps().stream()
            .map(step -> new ProfileTimeline.Op(name(step), step.work().kindInWords(), phase(step)))
            .toList();
    return new ProfileTrace(run.name(), backend.description(), new ProfileTimeline(ops, steps));
  }
}
