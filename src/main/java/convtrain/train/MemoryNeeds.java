package convtrain.train;

import convtrain.backend.Backend;
import convtrain.backend.Readback;
import convtrain.config.RunConfig;
import convtrain.plan.Plan;
import convtrain.plan.RunState;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * The device memory that a run takes, without running it: its state, the data where they stay on
 * the device, and a plan for every batch size that occurs. State and plans are really made, each
 * plan released before the next, since only the library that computes knows its workspaces; so the
 * sum may be more than the device has.
 *
 * @param parts what takes memory, at its end all at once
 */
public record MemoryNeeds(List<Part> parts) {
  /**
   * @param what in words
   */
  public record Part(String what, long bytes) {}

  public MemoryNeeds {
    parts = List.copyOf(parts);
  }

  /** All parts together. */
  public long bytes() {
    return parts.stream().mapToLong(Part::bytes).sum();
  }

  /**
   * What a run's {@link Trainer} will have allocated when its first epoch is over.
   *
   * @param data null if it is not known: the schedule's table, the data and last smaller batches
   *     then count nothing
   */
  public static MemoryNeeds of(Backend backend, RunConfig run, Trainer.Data data) {
    return new Collector(backend, run, data).collect();
  }

  /** Makes one thing after the other and looks what it took. */
  private static final class Collector {
    private final Backend backend;
    private final RunSetup setup;
    private final Trainer.Data data;
    private final List<Part> parts = new ArrayList<>();

    Collector(Backend backend, RunConfig run, Trainer.Data data) {
      this.backend = backend;
      this.data = data;
      setup = data == null ? RunSetup.withoutData(run) : RunSetup.of(run, data.train());
    }

    MemoryNeeds collect() {
      add("workspaces of libraries", backend.allocatedBytes());
      long steps = data == null ? 1 : setup.scheduleSteps();
      try (RunState state =
          new RunState(
              backend, setup.graph(), setup.batchSize(), setup.run().train().update(), steps)) {
        state.bytesByPart().forEach(this::add);
        long before = backend.allocatedBytes();
        Readback progress = state.metricsReadback(backend);
        long taken = backend.allocatedBytes() - before;
        progress.close();
        add("progress", taken);
        addTraining(state);
        addScoring(state);
      }
      return new MemoryNeeds(parts);
    }

    private void addTraining(RunState state) {
      long before = backend.allocatedBytes();
      try (Plans plans = Plans.ofTraining(backend, setup, state)) {
        long feed = backend.allocatedBytes() - before;
        Set<Integer> sizes = new LinkedHashSet<>(List.of(setup.batchSize()));
        if (data != null) {
          feed += plans.feed().bytesFor(data.train().size());
          sizes.addAll(Plans.sizes(setup.batchSize(), setup.sampler().samplesPerEpoch()));
        }
        add("training data", feed);
        sizes.forEach(size -> addPlan(plans, size, "activations and workspaces at batch size "));
      }
    }

    private void addScoring(RunState state) {
      int size = Evaluator.batchSize(setup.graph());
      Set<Integer> sizes = new LinkedHashSet<>();
      int[] counts =
          data == null
              ? new int[0]
              : data.validation() == null
                  ? new int[] {data.test().size()}
                  : new int[] {data.test().size(), data.validation().size()};
      for (int count : counts) {
        sizes.addAll(Plans.sizes(size, count));
      }
      if (data == null) {
        sizes.add(size);
      }
      Scoring scoring = Scoring.of(setup.run(), setup.graph());
      long before = backend.allocatedBytes();
      try (Plans plans = Plans.ofScoring(backend, setup.graph(), state, scoring, size)) {
        add("data to score", backend.allocatedBytes() - before + plans.feed().bytesFor(counts));
        sizes.forEach(each -> addPlan(plans, each, "scoring at batch size "));
      }
    }

    private void addPlan(Plans plans, int size, String what) {
      long before = backend.allocatedBytes();
      try (Plan plan = plans.make(size)) {
        add(what + plan.batchSize(), backend.allocatedBytes() - before);
      }
    }

    private void add(String what, long bytes) {
      if (bytes > 0) {
        parts.add(new Part(what, bytes));
      }
    }
  }
}
