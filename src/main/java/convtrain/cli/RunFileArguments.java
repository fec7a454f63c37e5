package convtrain.cli;

import convtrain.config.RunConfig;
import convtrain.config.RunConfigLoader;
import java.nio.file.Path;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** A run file and what is to be changed in it. */
final class RunFileArguments {
  @Parameters(paramLabel = "CONFIG", description = "The JSON run file.")
  private Path config;

  @Mixin private Overrides overrides;

  RunConfig load() {
    return RunConfigLoader.load(config, overrides.list());
  }
}
