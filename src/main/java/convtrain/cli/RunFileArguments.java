package convtrain.cli;

import convtrain.config.RunConfig;
import convtrain.config.RunConfigLoader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** A run file and what is to be changed in it. */
final class RunFileArguments {
  @Parameters(paramLabel = "CONFIG", description = "The JSON run file.")
  private Path config;

  @Option(
      names = "--set",
      paramLabel = "PATH=VALUE",
      description =
          "Replace a value of the run file, such as train.epochs=5 or model.layers[3].p=0.1;"
              + " may be given again.")
  private List<String> overrides = new ArrayList<>();

  RunConfig load() {
    return RunConfigLoader.load(config, overrides);
  }
}
