package convtrain.cli;

import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Option;

/** What is to be changed in a run file. */
final class Overrides {
  @Option(
      names = "--set",
      paramLabel = "PATH=VALUE",
      description =
          "Replace a value of the run file, such as train.epochs=5 or model.layers[3].p=0.1;"
              + " may be given again.")
  private List<String> overrides = new ArrayList<>();

  List<String> list() {
    return overrides;
  }
}
