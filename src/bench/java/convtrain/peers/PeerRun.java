package convtrain.peers;

import convtrain.config.RunConfig;
import convtrain.config.RunConfigLoader;
import convtrain.config.ScheduleSpec;
import convtrain.data.Dataset;
import convtrain.data.DatasetFiles;
import convtrain.data.Sampler;
import convtrain.graph.LossSpec;
import convtrain.graph.ModelGraph;
import convtrain.graph.Node;
import convtrain.graph.OptimizerSpec;
import convtrain.graph.ParameterSpec;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntFunction;

/**
 * What every engine is given to train, read from one run file.
 *
 * @param config the run file; only what {@link #load} lets pass
 * @param graph its network
 * @param train what is learnt from
 * @param test what is scored on in the end
 */
record PeerRun(RunConfig config, ModelGraph graph, Dataset train, Dataset test) {

  /**
   * Reads run file and data.
   *
   * @param overrides as {@link RunConfigLoader#load} takes them
   * @param data folder of the IDX files
   * @param memory makes a buffer for image bytes
   * @throws IllegalArgumentException naming what not every engine is told to do
   */
  static PeerRun load(
      Path file, List<String> overrides, Path data, IntFunction<ByteBuffer> memory) {
    RunConfig config = RunConfigLoader.load(file, overrides);
    check(file, config);
    Dataset train = DatasetFiles.load(config.data().dataset(), data, true, memory);
    Dataset test = DatasetFiles.load(config.data().dataset(), data, false, memory);
    Integer limit = config.data().limit();
    return new PeerRun(
        config, ModelGraph.of(config.model()), limit == null ? train : train.limit(limit), test);
  }

  private static void check(Path file, RunConfig config) {
    var train = config.train();
    boolean plain =
        train.loss().equals(LossSpec.crossEntropy())
            && train.optimizer() instanceof OptimizerSpec.Sgd sgd
            && sgd.nesterov()
            && sgd.weightDecay() == 0
            && train.schedule().equals(new ScheduleSpec.Constant(null))
            && train.accumulateSteps() == 1
            && train.clipGradNorm() == null
            && train.ema() == null
            && train.mix() == null
            && config.data().augment() == null
            && config.data().validationSplit() == 0
            && !config.data().dropLast();
    if (!plain) {
      throw new IllegalArgumentException(
          file
              + ": asks for more than every engine is told to do; expected cross_entropy, sgd with"
              + " nesterov and without weight_decay, a constant learning rate, and of batch_size,"
              + " epochs, precision and data.limit any value");
    }
  }

  OptimizerSpec.Sgd sgd() {
    return (OptimizerSpec.Sgd) config.train().optimizer();
  }

  int batchSize() {
    return Math.min(config.train().batchSize(), train.size());
  }

  int epochs() {
    return config.train().epochs();
  }

  /**
   * The values that our engine starts each tensor from, in PyTorch's order, by its name in files.
   */
  Map<String, float[]> initialWeights() {
    Map<String, float[]> values = new HashMap<>();
    // Trained tensors are drawn before the others.
    for (boolean trainable : new boolean[] {true, false}) {
      for (Node node : graph.nodes()) {
        for (ParameterSpec spec : node.parameters()) {
          if (spec.trainable() == trainable) {
            float[] drawn = spec.start().draw(spec.elements(), config.seed(), values.size());
            values.put(node.tensorName(spec), drawn);
          }
        }
      }
    }
    return values;
  }

  /** The samples in the order in which our engine takes them in an epoch (from 1). */
  int[] order(int epoch) {
    return new Sampler(train, batchSize(), config.data().shuffle(), false, config.seed())
        .order(epoch);
  }

  /**
   * A run of some full batches and one of the size of the epoch's last: after it, memory is
   * allocated, code compiled and threads started.
   */
  PeerRun warmup(int steps) {
    int few = Math.multiplyExact(steps, batchSize()) + train.size() % batchSize();
    return new PeerRun(
        RunConfigLoader.parse(
            "the warm-up", RunConfigLoader.toJson(config), List.of("train.epochs=1")),
        graph,
        train.limit(few),
        test.limit(batchSize()));
  }
}
