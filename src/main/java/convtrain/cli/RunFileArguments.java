package convtrain.cli;

import convtrain.config.RunConfig;
import convtrain.config.RunConfigLoader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Parameters;

/** A run file and what is to be changed in it. */
final class RunFileArguments {
  @Parameters(paramLabel = "CONFIG", description = "The JSON run file.")
  private Path config;

  @Mixin private Overrides overrides;

  RunConfig load() {
    return load(List.of());
  }

  /**
   * @param further changes that an option of the command makes, PATH=VALUE
   */
  RunConfig load(List<String> further) {
    List<String> all = new ArrayList<>(overrides.list());
    all.addAll(further);
    return RunConfigLoader.load(config, all);
  }
}
