package convtrain.plan;

import convtrain.backend.Backend;
import convtrain.backend.DeviceBuffer;
import convtrain.backend.LayerOp;
import convtrain.backend.Op;
import convtrain.backend.Owned;
import convtrain.backend.Timer;
import convtrain.graph.Precision;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;

/**
 * Everything one step does, in order, with all memory in place: staging, forward, loss, and when
 * training backward and update. Made by {@link PlanCompiler} for one batch size; running it
 * replays.
 */
public final class Plan implements AutoCloseable {
  /** The part of a step that an op belongs to. */
  public enum Phase {
    STAGE,
    FORWARD,
    LOSS,
    BACKWARD,
    ACCUMULATE,
    UPDATE
  }

  /**
   * One entry of the step.
   *
   * @param label layer and type, {@code conv1 (conv2d)}; or what else it is
   * @param phase which part of the step
   * @param op what runs
   * @param enqueue the pass of it that this entry is
   * @param work what it computes
   */
  public record Step(String label, Phase phase, Op op, Runnable enqueue, Work work) {
    static Step forward(String label, Phase phase, Op op, Work work) {
      return new Step(label, phase, op, op::forward, work);
    }

    static Step backward(String label, LayerOp op, Work work) {
      return new Step(label, Phase.BACKWARD, op, op::backward, work);
    }
  }

  /** oneDNN's name for its plain loops, alone or as part of a compound implementation. */
  private static final Pattern REFERENCE = Pattern.compile("(^|[ |+:])ref");

  private final Backend backend;
  private final List<Step> steps;
  private final Owned owned;
  private final DeviceBuffer arena;
  private final DeviceBuffer logits;
  private final ByteBuffer hostLogits;
  private final Precision precision;
  private final int batchSize;
  private final Backend.Replay replay;

  /** Null unless gradients are accumulated. */
  private final Backend.Replay accumulation;

  private boolean closed;

  Plan(
      Backend backend,
      List<Step> steps,
      Owned owned,
      DeviceBuffer arena,
      DeviceBuffer logits,
      Precision precision,
      int batchSize) {
    this.backend = backend;
    this.steps = List.copyOf(steps);
    this.owned = owned;
    this.arena = arena;
    this.logits = logits;
    this.precision = precision;
    this.batchSize = batchSize;
    int bytes = Math.toIntExact(logits.bytes());
    hostLogits = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
    replay = owned.add(backend.capture(() -> enqueue(this.steps.size())));
    accumulation =
        has(Phase.ACCUMULATE)
            ? owned.add(backend.capture(() -> enqueue(firstOf(Phase.UPDATE))))
            : null;
  }

  private boolean has(Phase phase) {
    return firstOf(phase) < steps.size();
  }

  private int firstOf(Phase phase) {
    int first = 0;
    while (first < steps.size() && steps.get(first).phase() != phase) {
      first++;
    }
    return first;
  }

  /**
   * Runs one step on the batch that the feed made ready; in training an update ends it, of the
   * gradients accumulated so far and the batch's.
   */
  public void step() {
    checkOpen();
    replay.run();
  }

  /** Runs one step without the update: the batch's gradients wait for it. */
  public void accumulate() {
    checkOpen();
    if (accumulation == null) {
      throw new IllegalStateException("this plan was not made to accumulate gradients");
    }
    accumulation.run();
  }

  private void checkOpen() {
    if (closed) {
      throw new IllegalStateException("this plan was closed");
    }
  }

  private void enqueue(int count) {
    for (int i = 0; i < count; i++) {
      run(steps.get(i));
    }
  }

  private void run(Step step) {
    try {
      step.enqueue().run();
      backend.afterOp();
    } catch (RuntimeException e) {
      throw new PlanException(
          "%s %s on %s: %s"
              .formatted(
                  step.label(),
                  step.phase().name().toLowerCase(Locale.ROOT),
                  backend.name(),
                  e.getMessage()),
          e);
    }
  }

  /**
   * The step with moments marked in it, to be replayed beside {@link #step}: moment i before entry
   * i, and one after the last. To be closed before this plan.
   *
   * @param timer of the plan's backend, for one moment more than there are entries
   */
  public Backend.Replay marked(Timer timer) {
    checkOpen();
    return backend.capture(
        () -> {
          for (int i = 0; i < steps.size(); i++) {
            timer.mark(i);
            run(steps.get(i));
          }
          timer.mark(steps.size());
        });
  }

  /** The entries of a step in order, for profiles and tests. */
  public List<Step> steps() {
    return steps;
  }

  /** Labels of the ops that run a library's reference loops, each once. */
  public List<String> referenceOps() {
    return steps.stream()
        .filter(step -> REFERENCE.matcher(step.op.implementation()).find())
        .map(Step::label)
        .distinct()
        .toList();
  }

  /** What activations are stored and multiplied in. */
  public Precision precision() {
    return precision;
  }

  public int batchSize() {
    return batchSize;
  }

  /**
   * Kernels, copies and fills that a step starts by one call; 0 while it starts each by its own.
   */
  public int launches() {
    return replay.launches();
  }

  /** Bytes of activations, gradients and workspaces. */
  public long arenaBytes() {
    return arena.bytes();
  }

  /**
   * Copies what the last step's loss worked on: the logits, or with mse the network's output.
   *
   * @param into receives [N, classes], row-major; may have room for more
   */
  public void readLogits(float[] into) {
    backend.synchronize();
    hostLogits.clear();
    logits.read(0, hostLogits);
    precision.decode(hostLogits, into, hostLogits.capacity() / precision.elementBytes());
  }

  @Override
  public void close() {
    if (!closed) {
      closed = true;
      owned.close();
    }
  }
}
