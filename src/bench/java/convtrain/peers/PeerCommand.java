package convtrain.peers;

import com.fasterxml.jackson.databind.ObjectMapper;
import convtrain.config.ConfigException;
import convtrain.data.DataException;
import convtrain.graph.Precision;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.function.IntFunction;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/**
 * An engine's part of the comparison: trains a run file's network, first some steps untimed, then
 * anew from the initial weights, and prints its figures as one line of JSON.
 */
abstract class PeerCommand implements Callable<Integer> {
  @Parameters(description = "run file")
  private Path run;

  @Option(names = "--data", required = true, description = "folder of the IDX files")
  private Path data;

  @Option(names = "--epochs", defaultValue = "1", description = "timed epochs")
  private int epochs;

  @Option(names = "--images", description = "train on this many samples (default: all)")
  private Integer images;

  @Option(names = "--warmup", defaultValue = "20", description = "untimed steps before")
  private int warmup;

  @Spec private CommandSpec spec;

  /** The command line; wrong input is told in one line, anything else with its trace. */
  static CommandLine commandLine(PeerCommand peer) {
    CommandLine line = new CommandLine(peer).setCaseInsensitiveEnumValuesAllowed(true);
    line.setExecutionExceptionHandler(
        (e, command, parsed) -> {
          if (e instanceof ConfigException
              || e instanceof DataException
              || e instanceof IllegalArgumentException) {
            command.getErr().println(command.getCommandName() + ": " + e.getMessage());
            return command.getCommandSpec().exitCodeOnInvalidInput();
          }
          throw e;
        });
    return line;
  }

  /** The engine's name in tables. */
  abstract String engine();

  /** The way in which it is asked to train, of those it has. */
  abstract String mode();

  abstract String version();

  /** Makes the network with the initial weights that our engine draws. */
  abstract Trainee open(PeerRun run);

  /** What the run file is read with beside what the options say: the precision computed in. */
  List<String> overrides() {
    return List.of("train.precision=" + Precision.FP32.word());
  }

  /** Makes buffers for image bytes. */
  IntFunction<ByteBuffer> memory() {
    return ByteBuffer::allocateDirect;
  }

  @Override
  public Integer call() throws Exception {
    List<String> overrides = new ArrayList<>(overrides());
    overrides.add("train.epochs=" + epochs);
    if (images != null) {
      overrides.add("data.limit=" + images);
    }
    PeerRun whole = PeerRun.load(run, overrides, data, memory());
    if (warmup > 0) {
      train(whole.warmup(warmup));
    }
    String json = new ObjectMapper().writeValueAsString(line(whole, train(whole)));
    spec.commandLine().getOut().println(json);
    return 0;
  }

  /** Trains all epochs of the run and scores the test samples. */
  Course train(PeerRun run) {
    List<Double> seconds = new ArrayList<>();
    Trainee.Sums sums = null;
    try (Trainee trainee = open(run)) {
      for (int epoch = 1; epoch <= run.epochs(); epoch++) {
        int[] order = run.order(epoch);
        long start = System.nanoTime();
        sums = trainee.epoch(order);
        seconds.add((System.nanoTime() - start) / 1e9);
      }
      double samples = run.train().size();
      return new Course(
          seconds,
          sums.loss() / samples,
          sums.correct() / samples,
          trainee.correctOfTest() / (double) run.test().size());
    }
  }

  private Map<String, Object> line(PeerRun run, Course course) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("run", run.config().name());
    line.put("engine", engine());
    line.put("mode", mode());
    line.put("precision", run.config().train().precision());
    line.put("images", run.train().size());
    line.put("batch_size", run.batchSize());
    line.put("seconds", course.seconds());
    line.put("train_loss", course.trainLoss());
    line.put(
        "train_accuracy", Double.isNaN(course.trainAccuracy()) ? null : course.trainAccuracy());
    line.put("test_accuracy", course.testAccuracy());
    line.put("version", version());
    return line;
  }
}
