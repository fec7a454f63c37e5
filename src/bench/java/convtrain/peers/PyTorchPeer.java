package convtrain.peers;

import static org.bytedeco.pytorch.global.torch.cross_entropy_loss;
import static org.bytedeco.pytorch.global.torch.from_blob;
import static org.bytedeco.pytorch.global.torch.manual_seed;
import static org.bytedeco.pytorch.global.torch.randperm;
import static org.bytedeco.pytorch.global.torch.set_num_threads;
import static org.bytedeco.pytorch.global.torch.zeros;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.sun.management.OperatingSystemMXBean;
import convtrain.graph.LayerSpec;
import convtrain.graph.ModelGraph;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.LongOptional;
import org.bytedeco.pytorch.SGD;
import org.bytedeco.pytorch.SGDOptions;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.TensorOptional;
import org.bytedeco.pytorch.TensorOptions;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.global.torch.ScalarType;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/**
 * Trains a model file's network with PyTorch on the CPU and prints, per round, one line of JSON:
 * seconds per step, and the loss and accuracy over the steps that were timed.
 */
@Command(name = "PyTorchPeer", mixinStandardHelpOptions = true)
public final class PyTorchPeer implements Callable<Integer> {
  @Option(names = "--model", required = true, description = "model file (a run file's \"model\")")
  private Path model;

  @Option(names = "--data", required = true, description = "folder of MNIST's raw IDX files")
  private Path data;

  @Option(
      names = "--variant",
      defaultValue = "channels_last",
      description =
          "contiguous or channels_last, then any of +plain_relu and one of +native_dropout,"
              + " +random_bits, +mask_pool")
  private String variant;

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

  @Option(names = "--threads", defaultValue = "0", description = "threads (0: one per core)")
  private int threads;

  @Option(names = "--seed", defaultValue = "1", description = "seed of weights and sample order")
  private long seed;

  public static void main(String[] args) throws IOException {
    // Every tensor of a step dies with the step's scope: the collector need not watch over it.
    System.setProperty("org.bytedeco.javacpp.nopointergc", "true");
    // Else the first start, which unpacks libtorch.so before the library it links to, links it to
    // the libtorch_cpu.so of a PyTorch that the system may have, and crashes.
    String folder = "/org/bytedeco/pytorch/" + Loader.getPlatform() + "/";
    Loader.cacheResource(folder + "libtorch_cpu.so");
    CommandLine line = new CommandLine(new PyTorchPeer());
    line.setExecutionExceptionHandler(PyTorchPeer::report);
    System.exit(line.execute(args));
  }

  /** Wrong input is told in one line; anything else with its trace. */
  private static int report(Exception e, CommandLine line, CommandLine.ParseResult parsed)
      throws Exception {
    if (e instanceof IllegalArgumentException || e instanceof IOException) {
      line.getErr().println("PyTorchPeer: " + e.getMessage());
      return line.getCommandSpec().exitCodeOnInvalidInput();
    }
    throw e;
  }

  @Override
  public Integer call() throws Exception {
    ModelGraph graph = ModelFile.read(model);
    PyTorchVariant chosen = PyTorchVariant.parse(variant);
    boolean drops = graph.nodes().stream().anyMatch(n -> n.spec() instanceof LayerSpec.Dropout);
    if (!drops && chosen.dropout() != PyTorchVariant.Dropout.TORCH) {
      throw new IllegalArgumentException(
          "--variant=" + variant + ": " + model + " has no dropout layer; leave that word out");
    }
    set_num_threads(threads > 0 ? threads : Runtime.getRuntime().availableProcessors());
    manual_seed(seed);
    Training training = new Training(graph, chosen, Mnist.read(data));
    training.round(warmup);
    for (int i = 0; i < rounds; i++) {
      Round round = training.round(steps);
      System.out.println(new ObjectMapper().writeValueAsString(line(chosen, drops, round)));
    }
    return 0;
  }

  private Map<String, Object> line(PyTorchVariant chosen, boolean drops, Round round) {
    Map<String, Object> line = new LinkedHashMap<>();
    line.put("engine", drops ? chosen.dropout().engine() : "PyTorch");
    line.put("variant", chosen.word());
    line.put("seconds_per_step", round.seconds / steps);
    line.put("cpu_seconds_per_step", round.cpuSeconds / steps);
    line.put("steps", steps);
    line.put("loss", round.lossSum / steps);
    line.put("accuracy", round.correct / ((double) steps * batch));
    line.put("version", torch.class.getPackage().getImplementationVersion());
    line.put("threads", torch.get_num_threads());
    return line;
  }

  /**
   * Sums over a round's steps.
   *
   * @param seconds on the wall clock
   * @param cpuSeconds of all threads together; steadier on a machine that others use too
   * @param lossSum of the batches' mean losses
   * @param correct samples classified right
   */
  private record Round(double seconds, double cpuSeconds, double lossSum, double correct) {}

  private static long cpuNanos() {
    return ManagementFactory.getPlatformMXBean(OperatingSystemMXBean.class).getProcessCpuTime();
  }

  /** Data, network and optimizer, ready to step. */
  private final class Training {
    private final PyTorchNetwork network;
    private final SGD sgd;
    private final int batches;
    private final Tensor images;
    private final Tensor labels;
    private final Scalar scale = new Scalar((float) (1 / (255 * Mnist.STD)));
    private final Scalar shift = new Scalar((float) (-Mnist.MEAN / Mnist.STD));
    private final LongOptional classAxis = new LongOptional(1);
    private final TensorOptional evenClasses = new TensorOptional();
    private Tensor order;
    private int nextBatch;

    Training(ModelGraph graph, PyTorchVariant chosen, Mnist mnist) {
      network = new PyTorchNetwork(graph, chosen, batch, seed);
      batches = mnist.count() / batch;
      // With one channel the bytes are NCHW and NHWC at once; the strides say which is meant.
      Tensor bytes = bytes(mnist.images());
      images =
          chosen.channelsLast()
              ? bytes.view(mnist.count(), 28, 28, 1).permute(0, 3, 1, 2)
              : bytes.view(mnist.count(), 1, 28, 28);
      labels = bytes(mnist.labels()).to(ScalarType.Long);
      SGDOptions options = new SGDOptions(lr);
      options.momentum().put(0.9);
      options.nesterov().put(true);
      sgd = new SGD(network.trainable(), options);
    }

    private Tensor bytes(byte[] values) {
      try (BytePointer pointer = new BytePointer(values)) {
        return from_blob(
                pointer, new long[] {values.length}, null, new TensorOptions(ScalarType.Byte), null)
            .clone();
      }
    }

    @SuppressWarnings("try") // the scope works by being open
    Round round(int count) {
      try (PointerScope scope = new PointerScope()) {
        Tensor lossSum = zeros(1);
        Tensor correct = zeros(1);
        long cpuStart = cpuNanos();
        long start = System.nanoTime();
        for (int i = 0; i < count; i++) {
          step(lossSum, correct);
        }
        double seconds = (System.nanoTime() - start) / 1e9;
        double cpuSeconds = (cpuNanos() - cpuStart) / 1e9;
        return new Round(seconds, cpuSeconds, lossSum.item_double(), correct.item_double());
      }
    }

    @SuppressWarnings("try") // the scope works by being open
    private void step(Tensor lossSum, Tensor correct) {
      try (PointerScope scope = new PointerScope()) {
        Tensor chosen = nextSamples();
        Tensor x = images.index_select(0, chosen).to(ScalarType.Float).mul_(scale).add_(shift);
        Tensor y = labels.index_select(0, chosen);
        sgd.zero_grad(true);
        Tensor logits = network.forward(x);
        Tensor loss = cross_entropy_loss(logits, y, evenClasses, 1, -100, 0);
        loss.backward();
        sgd.step();
        lossSum.add_(loss.detach());
        correct.add_(logits.detach().argmax(classAxis, false).eq(y).sum());
      }
    }

    /** Indices of the next batch [N] in an order that is drawn anew for each epoch. */
    private Tensor nextSamples() {
      if (nextBatch % batches == 0) {
        order = randperm(labels.size(0), new TensorOptions(ScalarType.Long));
        order.retainReference();
      }
      return order.narrow(0, (long) (nextBatch++ % batches) * batch, batch);
    }
  }
}
