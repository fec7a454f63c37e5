package convtrain.peers;

import static org.bytedeco.pytorch.global.torch.set_num_threads;

import convtrain.graph.LayerSpec;
import convtrain.graph.Precision;
import java.io.IOException;
import java.util.List;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.pytorch.global.torch;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** PyTorch on the CPU, as org.bytedeco ships it. */
@Command(name = "PyTorchPeer", mixinStandardHelpOptions = true)
public final class PyTorchPeer extends PeerCommand {
  @Option(
      names = "--mode",
      defaultValue = "channels_last",
      description =
          "contiguous or channels_last, then any of +plain_relu and one of +native_dropout,"
              + " +random_bits, +mask_pool")
  private String mode;

  @Option(
      names = "--precision",
      defaultValue = "fp32",
      description = "fp32, or bf16: PyTorch's autocast")
  private Precision precision;

  public static void main(String[] args) throws IOException {
    // Every tensor of a step dies with the step's scope: the collector need not watch over it.
    System.setProperty("org.bytedeco.javacpp.nopointergc", "true");
    // Else the first start, which unpacks libtorch.so before the library it links to, links it to
    // the libtorch_cpu.so of a PyTorch that the system may have, and crashes.
    String folder = "/org/bytedeco/pytorch/" + Loader.getPlatform() + "/";
    Loader.cacheResource(folder + "libtorch_cpu.so");
    System.exit(commandLine(new PyTorchPeer()).execute(args));
  }

  @Override
  String engine() {
    return PyTorchVariant.parse(mode).engine();
  }

  @Override
  String mode() {
    return mode;
  }

  @Override
  String version() {
    return "org.bytedeco:pytorch:%s, %d threads"
        .formatted(torch.class.getPackage().getImplementationVersion(), torch.get_num_threads());
  }

  @Override
  List<String> overrides() {
    if (precision != Precision.FP32 && precision != Precision.BF16) {
      throw new IllegalArgumentException(
          "--precision=%s; expected fp32 or bf16".formatted(precision.word()));
    }
    return List.of("train.precision=" + precision.word());
  }

  @Override
  Trainee open(PeerRun run) {
    PyTorchVariant variant = PyTorchVariant.parse(mode);
    boolean drops =
        run.graph().nodes().stream().anyMatch(n -> n.spec() instanceof LayerSpec.Dropout);
    if (!drops && variant.dropout() != PyTorchVariant.Dropout.TORCH) {
      throw new IllegalArgumentException(
          "--mode=%s: %s has no dropout layer; leave that word out"
              .formatted(mode, run.config().name()));
    }
    boolean foreign = !variant.engine().equals("PyTorch");
    if (foreign && precision == Precision.BF16) {
      throw new IllegalArgumentException(
          "--mode=%s: its masks are fp32, which would turn bf16 activations into fp32; leave that word or --precision=bf16 out"
              .formatted(mode));
    }
    set_num_threads(Runtime.getRuntime().availableProcessors());
    return new PyTorchTrainee(run, variant);
  }
}
