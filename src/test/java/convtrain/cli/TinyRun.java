package convtrain.cli;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A run file whose network is small and still has an op of each kind that a step needs. */
final class TinyRun {
  private static final String RUN =
      """
      {"name": "tiny", "data": {"dataset": "mnist", "dir": "%s"},
       "model": {"input": [1, 28, 28], "layers": [
         {"type": "conv2d", "out_channels": 4, "kernel_size": 3, "stride": 2, "bias": false},
         {"type": "batch_norm2d"}, {"type": "relu"}, {"type": "dropout", "p": 0.1},
         {"type": "max_pool2d", "kernel_size": 2},
         {"type": "conv2d", "name": "conv2", "out_channels": 4, "kernel_size": 3},
         {"type": "flatten"}, {"type": "linear", "out_features": 10}]},
       "train": {"epochs": 1, "batch_size": 8}}
      """;

  private TinyRun() {}

  static Path write(Path file, Path data) throws IOException {
    return Files.writeString(file, RUN.formatted(data));
  }
}
