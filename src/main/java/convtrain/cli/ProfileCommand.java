package convtrain.cli;

import convtrain.backend.Backend;
import convtrain.bench.Profile;
import convtrain.bench.ProfileTable;
import convtrain.bench.Profiler;
import convtrain.config.RunConfig;
import convtrain.data.Dataset;
import convtrain.files.AtomicFile;
import convtrain.report.Json;
import convtrain.report.Provenance;
import convtrain.train.Rehearsal;
import convtrain.train.Trainer;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.ExitCode;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Measures where the time of a step goes. */
@Command(
    name = "profile",
    description = {
      "Measures each op of a run's step: time, share, arithmetic and memory traffic per second, and"
          + " which implementation the device's library chose; then each phase's sum, and what"
          + " measuring itself costs.",
      "",
      "The steps train on the run file's data, varied and mixed as it says; nothing is kept of it."
          + " FLOPs are those of convolutions and matrix products, bytes what an op must read and"
          + " write at the least. Times are medians over the steps; on a GPU they are its own"
          + " events' in a captured step."
    },
    footer = {
      "",
      "Examples:",
      "  convtrain profile configs/mnist-19k.json",
      "  convtrain profile configs/mnist-19k.json --batch-size 512 --steps 100",
      "  convtrain profile configs/resnet-tiny.json --json ops.json --trace trace.json",
      "  convtrain profile configs/mnist-19k.json --evaluation"
    })
final class ProfileCommand implements Callable<Integer> {
  private static final int MOST = 100_000;

  @Mixin private RunFileArguments runFile;
  @Mixin private BatchSizeOption batchSize;

  @Option(
      names = "--precision",
      paramLabel = "NAME",
      description = "fp32, tf32, fp16 or bf16 (default: the run file's).")
  private String precision;

  @Option(
      names = "--steps",
      paramLabel = "N",
      defaultValue = "50",
      description = "Steps to measure (default: ${DEFAULT-VALUE}).")
  private int steps;

  @Option(
      names = "--warmup",
      paramLabel = "N",
      defaultValue = "10",
      description = "Steps before them, at least 2 (default: ${DEFAULT-VALUE}).")
  private int warmup;

  @Option(
      names = "--evaluation",
      description = "Measure a step that scores test images instead of one that trains.")
  private boolean evaluation;

  @Option(
      names = "--json",
      paramLabel = "FILE",
      converter = OutputFile.class,
      description = "Write all figures, with machine, versions and commit.")
  private Path json;

  @Option(
      names = "--trace",
      paramLabel = "FILE",
      converter = OutputFile.class,
      description = "Write the steps on a time axis, for ui.perfetto.dev or chrome://tracing.")
  private Path trace;

  @Mixin private DeviceOptions device;
  @Spec private CommandSpec spec;

  @Override
  public Integer call() throws IOException {
    within("--steps", steps, 1);
    within("--warmup", warmup, 2);
    Instant started = Instant.now();
    RunConfig run = runFile.load(overrides());
    try (TrainContext context = new TrainContext(device, spec, false)) {
      Backend backend = context.backend(run);
      Trainer.Data data = context.data(run, DataFolder.of(run, context.err()));
      Dataset samples = evaluation ? data.test() : data.train();
      try (Rehearsal rehearsal = rehearsal(backend, run, samples)) {
        Profiler profiler = new Profiler(backend, run, rehearsal);
        context.stop().await();
        profiler.measure(warmup, steps, context.stop());
        if (profiler.measured() == 0) {
          return context.stoppedEarly("stopped before a step was measured");
        }
        show(context, run, profiler.profile());
        write(context, run, samples, profiler, started);
      }
      return context.stop().getAsBoolean() ? ExitCode.SOFTWARE : ExitCode.OK;
    }
  }

  private void within(String option, int value, int least) {
    if (value < least || value > MOST) {
      throw new ParameterException(
          spec.commandLine(),
          String.format(Locale.ROOT, "%s=%d; expected %d to %d", option, value, least, MOST));
    }
  }

  private List<String> overrides() {
    List<String> overrides = new ArrayList<>(evaluation ? List.of() : batchSize.overrides());
    if (precision != null) {
      overrides.add("train.precision=" + precision);
    }
    return overrides;
  }

  private Rehearsal rehearsal(Backend backend, RunConfig run, Dataset samples) {
    return evaluation
        ? Rehearsal.ofScoring(backend, run, samples, batchSize.given())
        : Rehearsal.ofTraining(backend, run, samples, 2 * (warmup + steps));
  }

  private void show(TrainContext context, RunConfig run, Profile profile) {
    context.print("%s", ProfileTable.render(profile));
    int batches = run.train().accumulateSteps();
    if (batches > 1 && !evaluation) {
      context.print(
          "accumulate_steps=%d: of %d batches one is updated like this", batches, batches);
    }
  }

  private void write(
      TrainContext context, RunConfig run, Dataset samples, Profiler profiler, Instant started)
      throws IOException {
    if (trace != null) {
      AtomicFile.write(trace, profiler.trace().toJson());
    }
    if (json != null) {
      Provenance provenance = context.provenance(run, started, samples.files());
      AtomicFile.write(json, Json.pretty(profiler.profile().with(provenance)));
    }
  }
}
