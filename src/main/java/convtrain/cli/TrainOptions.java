package convtrain.cli;

import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** The device to train on, and how progress is shown. */
final class TrainOptions {
  @Mixin private DeviceOptions device;

  @Option(names = "--no-progress", description = "No live progress bar, on a terminal either.")
  private boolean noProgress;

  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  TrainContext context() {
    return new TrainContext(device, command, !noProgress);
  }
}
