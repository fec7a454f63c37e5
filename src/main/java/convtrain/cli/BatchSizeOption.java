package convtrain.cli;

import java.util.List;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/** Another batch size than the run file's. */
final class BatchSizeOption {
  @Spec(Spec.Target.MIXEE)
  private CommandSpec command;

  private int batchSize;

  @Option(
      names = "--batch-size",
      paramLabel = "N",
      description = "Samples of a batch (default: the run file's).")
  void setBatchSize(int batchSize) {
    if (batchSize < 1) {
      throw new ParameterException(
          command.commandLine(), "--batch-size=" + batchSize + "; expected at least 1");
    }
    this.batchSize = batchSize;
  }

  /** What was given; 0: nothing. */
  int given() {
    return batchSize;
  }

  /** The change of the run file. */
  List<String> overrides() {
    return batchSize == 0 ? List.of() : List.of("train.batch_size=" + batchSize);
  }
}
