package convtrain.cli;

import convtrain.bench.BenchGrid.Axis;
import convtrain.bench.BenchGrid.Kind;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** What a benchmark varies: options that take a list each. */
final class BenchAxes {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  @Option(
      names = "--backend",
      paramLabel = "NAMES",
      description = "cuda, cpu or auto (default: auto).")
  private String backends;

  @Option(
      names = "--threads",
      paramLabel = "N,...",
      description = "CPU threads (default: all cores).")
  private String threads;

  @Option(names = "--precision", paramLabel = "WORDS", description = "fp32, tf32, fp16, bf16.")
  private String precisions;

  @Option(
      names = "--width",
      paramLabel = "N,...",
      description = "Multiplies out_channels and out_features of every layer but the classifier's.")
  private String widths;

  @Option(names = "--limit", paramLabel = "N,...", description = "Training samples.")
  private String limits;

  @Option(names = "--batch-size", paramLabel = "N,...", description = "Samples of a step.")
  private String batchSizes;

  /** Those that were given, the last of which is to vary fastest. */
  List<Axis> axes() {
    List<Axis> axes = new ArrayList<>();
    add(axes, Kind.BACKEND, "--backend", backends);
    add(axes, Kind.THREADS, "--threads", threads);
    add(axes, Kind.PRECISION, "--precision", precisions);
    add(axes, Kind.WIDTH, "--width", widths);
    add(axes, Kind.LIMIT, "--limit", limits);
    add(axes, Kind.BATCH_SIZE, "--batch-size", batchSizes);
    for (Axis axis : axes) {
      if (axis.kind() == Kind.BACKEND) {
        axis.values().forEach(this::checkBackend);
      }
    }
    return axes;
  }

  private static void add(List<Axis> axes, Kind kind, String option, String list) {
    if (list != null) {
      axes.add(Axis.parse(kind, option, list));
    }
  }

  private void checkBackend(String name) {
    if (!name.equals(Backends.AUTO) && !Backends.names().contains(name)) {
      throw new ParameterException(
          command.commandLine(),
          "--backend=%s; expected auto, %s".formatted(name, String.join(", ", Backends.names())));
    }
  }
}
