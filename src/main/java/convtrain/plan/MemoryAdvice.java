package convtrain.plan;

import convtrain.backend.Backend;
import convtrain.backend.DeviceMemoryException;
import convtrain.graph.ModelGraph;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;

/** Says of a plan that does not fit the device what it needs, and what would help. */
final class MemoryAdvice {
  private MemoryAdvice() {}

  /** Tells what the plan's arena needs and where most of it goes; the advice is still to come. */
  static PlanException noArena(
      Compilation plan, List<Group> groups, Placement placement, DeviceMemoryException e) {
    List<Group> largest = new ArrayList<>(groups);
    largest.sort(Comparator.comparingLong((Group group) -> placement.bytesOf(group)).reversed());
    StringBuilder layers = new StringBuilder();
    for (Group group : largest.subList(0, Math.min(3, largest.size()))) {
      layers.append(layers.isEmpty() ? "" : ", ");
      layers.append(group.label()).append(' ').append(mebibytes(placement.bytesOf(group)));
    }
    return new PlanException(
        "%s needs %s for activations and workspaces, %s are free on %s; most goes to: %s"
            .formatted(
                what(plan.options()),
                mebibytes(placement.arenaBytes()),
                mebibytes(e.freeBytes()),
                plan.backend().name(),
                layers),
        e);
  }

  /**
   * Adds the advice to what went wrong. To be asked for when all that the plan took is released.
   *
   * @param failure a {@link DeviceMemoryException}, or caused by one
   */
  static PlanException added(
      RuntimeException failure,
      Backend backend,
      ModelGraph graph,
      RunState state,
      PlanOptions options) {
    String found =
        failure instanceof PlanException
            ? failure.getMessage()
            : "%s cannot be made on %s: %s"
                .formatted(what(options), backend.name(), failure.getMessage());
    Throwable cause = failure instanceof PlanException ? failure.getCause() : failure;
    String smaller = "use a smaller model or free memory on the device";
    if (!options.training()) {
      return new PlanException(found + "; " + smaller, cause);
    }
    for (int n = options.batchSize() / 2; n > 0; n /= 2) {
      if (PlanCompiler.fits(backend, graph, state, options.withBatchSize(n))) {
        String advice =
            "; a plan of batch size %d fits: try train.batch_size=%d, or less, for scoring and an epoch's last smaller batch take memory beside it";
        return new PlanException(found + advice.formatted(n, n), cause);
      }
    }
    return new PlanException(found + "; no batch size fits: " + smaller, cause);
  }

  private static String what(PlanOptions options) {
    return "%s at batch size %d"
        .formatted(options.training() ? "training" : "scoring", options.batchSize());
  }

  private static String mebibytes(long bytes) {
    return String.format(Locale.ROOT, "%,.1f MiB", bytes / (double) (1 << 20));
  }
}
