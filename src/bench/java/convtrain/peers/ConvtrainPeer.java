package convtrain.peers;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.management.OperatingSystemMXBean;
import convtrain.backend.Backend;
import convtrain.backend.Feed;
import convtrain.backend.OpFactory.Normalization;
import convtrain.backend.StepMetrics;
import convtrain.backend.cpu.CpuBackend;
import convtrain.graph.DataPlacement;
import convtrain.graph.LossSpec;
import convtrain.graph.ModelGraph;
import convtrain.graph.OptimizerSpec;
import convtrain.graph.Philox;
import convtrain.graph.UpdateSpec;
import convtrain.plan.Plan;
import convtrain.plan.PlanCompiler;
import convtrain.plan.RunState;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Trains a model file's network with this engine on the CPU and prints, per round, one line of JSON
 * with {@link PyTorchPeer}'s keys.
 */
@Command(name = "ConvtrainPeer", mixinStandardHelpOptions = true)
public final class ConvtrainPeer implements Callable<Integer> {
  @Option(names = "--model", required = true, description = "model file (a run file's \"model\")")
  private Path model;

  @Option(names = "--data", required = true, description = "folder of MNIST's raw IDX files")
  private Path data;

  @Option(names = "--steps", defaultValue = "100", description = "timed steps of a round")
  private int steps;

  @Option(names = "--warmup", defaultValue = "10", description = "steps before the first round")
  private int warmup;

  @Option(names = "--rounds", defaultValue = "1", description = "rounds, one after the other")
  private int rounds;

  @Option(names = "--batch", defaultValue = "128", description = "samples per step")
  private int batch;

  @Option(names = "--lr", defaultValue = "0.05", description = "learning rate")
  private double lr;

  @Option(names = "--seed", defaultValue = "1", description = "seed of weights and sample order")
  private long seed;

  public static void main(String[] args) {
    System.exit(new CommandLine(new ConvtrainPeer()).execute(args));
  }

  @Override
  public Integer call() throws IOException {
    ModelGraph graph = ModelFile.read(model);
    Mnist mnist = Mnist.read(data);
    int threads = Runtime.getRuntime().availableProcessors();
    OptimizerSpec optimizer = new OptimizerSpec.Sgd(lr, 0.9, 0.0, true, 0.0, null);
    int total = warmup + steps * rounds;
    try (Backend backend = new CpuBackend(threads);
        RunState state = new RunState(backend, graph, batch, UpdateSpec.of(optimizer), total);
        Training training = new Training(backend, graph, state, mnist)) {
      state.initialize(seed);
      state.setSchedule(constant(total));
      training.round(warmup);
      for (int i = 0; i < rounds; i++) {
        System.out.println(new ObjectMapper().writeValueAsString(line(training.round(steps))));
      }
    }
    return 0;
  }

  private float[] constant(int count) {
    float[] table = new float[2 * count];
    for (int i = 0; i < table.length; i += 2) {
      table[i] = (float) lr;
      table[i + 1] = 0.9f;
    }
    return table;
  }

  private Map<String, Object> line(Round round) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("engine", "Convtrain");
    line.put("variant", "cpu");
    line.put("seconds_per_step", round.seconds / steps);
    line.put("cpu_seconds_per_step", round.cpuSeconds / steps);
    line.put("steps", steps);
    line.put("loss", round.metrics.loss());
    line.put("accuracy", round.metrics.accuracy());
    return line;
  }

  /** What {@link PyTorchPeer} sums over a round too. */
  private record Round(double seconds, double cpuSeconds, StepMetrics metrics) {}

  private static long cpuNanos() {
    return ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getProcessCpuTime();
  }

  /** Data and plan, ready to step. */
  private final class Training implements AutoCloseable {
    private final Mnist mnist;
    private final RunState state;
    private final Feed feed;
    private final Plan plan;
    private final int[] order;
    private int next;
    private int epoch;

    Training(Backend backend, ModelGraph graph, RunState state, Mnist mnist) {
      this.mnist = mnist;
      this.state = state;
      feed = backend.feed(784, batch, DataPlacement.AUTO);
      Normalization normalization =
          new Normalization(
              graph.input(), new float[] {(float) Mnist.MEAN}, new float[] {(float) Mnist.STD});
      plan =
          PlanCompiler.compile(
              backend,
              graph,
              state,
              new PlanCompiler.Options(
                  batch, LossSpec.crossEntropy(), true, normalization, feed, seed));
      order = new int[mnist.count()];
      next = order.length;
    }

    Round round(int count) {
      state.clearMetrics();
      long cpuStart = cpuNanos();
      long start = System.nanoTime();
      for (int i = 0; i < count; i++) {
        gather();
        plan.step();
      }
      double seconds = (System.nanoTime() - start) / 1e9;
      return new Round(seconds, (cpuNanos() - cpuStart) / 1e9, state.metrics());
    }

    private void gather() {
      if (next + batch > order.length) {
        Arrays.setAll(order, i -> i);
        new Philox(seed, Philox.Purpose.SHUFFLE, ++epoch).shuffle(order);
        feed.start(mnist, order, order.length);
        next = 0;
      }
      next += feed.next();
    }

    @Override
    public void close() {
      plan.close();
      feed.close();
    }
  }
}
